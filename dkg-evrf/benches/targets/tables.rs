//! The rows as the tables of `BENCHMARKS.md`.

use std::fmt::Write as _;

use serde_json::Value;

/// The size whose split by parts is shown.
const SPLIT: (u64, u64) = (50, 34);

/// Two tables: the operations, and the split of proving and verifying at one size.
pub(crate) fn markdown(rows: &[Value]) -> String {
    operations(rows) + "\n" + &split(rows)
}

fn size(row: &Value) -> (u64, u64) {
    (row["n"].as_u64().unwrap(), row["t"].as_u64().unwrap())
}

/// Units, with seconds behind them; a dash if it was not measured.
fn figure(rows: &[Value], case: &Value, op: &str, threads: impl Fn(u64) -> bool) -> String {
    let found = rows.iter().find(|row| {
        row["curve"] == case["curve"]
            && size(row) == size(case)
            && row["op"] == op
            && threads(row["threads"].as_u64().unwrap())
    });
    let show = |row: &Value| {
        format!("{:.3} U, {:.4} s", row["units"].as_f64().unwrap(), row["seconds"].as_f64().unwrap())
    };
    found.map_or_else(|| "–".to_owned(), show)
}

fn operations(rows: &[Value]) -> String {
    let mut text = String::from(
        "| Curve | n, t | Prove | Verify one | Verify all | Prove, all threads | Verify one, all threads | Verify all, all threads | Last arrival to keys | Bytes | Peak memory | Generators, once | Tables of keys, once |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    // One line for each case, which its generators' row stands for.
    for case in rows.iter().filter(|row| row["op"] == "generators") {
        let of_case = |row: &&Value| row["curve"] == case["curve"] && size(row) == size(case);
        let peak =
            rows.iter().filter(of_case).filter_map(|row| row["peak_bytes"].as_u64()).max().unwrap_or(0);
        let one = |op| figure(rows, case, op, |threads| threads == 1);
        let many = |op| figure(rows, case, op, |threads| threads > 1);
        let (n, t) = size(case);
        let _ = writeln!(
            text,
            "| {} | {n}, {t} | {} | {} | {} | {} | {} | {} | {} | {} | {} MiB | {} | {} |",
            case["curve"].as_str().unwrap(),
            one("prove"),
            one("verify_one"),
            one("verify_all"),
            many("prove"),
            many("verify_one"),
            many("verify_all"),
            one("last_to_keys"),
            case["bytes"],
            peak.div_ceil(1 << 20),
            one("generators"),
            one("tables"),
        );
    }
    text
}

fn split(rows: &[Value]) -> String {
    let mut text = String::from("| Curve | Part | Time |\n|---|---|---|\n");
    let parts = rows.iter().filter(|row| size(row) == SPLIT && row["op"].as_str().unwrap().contains(": "));
    for row in parts {
        let op = row["op"].as_str().unwrap();
        let time = figure(rows, row, op, |_| true);
        let _ = writeln!(text, "| {} | {op} | {time} |", row["curve"].as_str().unwrap());
    }
    text
}
