//! Work on several threads, which live only as long as the call.

/// Maps a slice, in order. One thread is the caller's own.
pub fn map<T: Sync, R: Send>(items: &[T], threads: usize, f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if (threads <= 1) || (items.len() <= 1) {
        return items.iter().map(f).collect();
    }
    let share = items.len().div_ceil(threads);
    std::thread::scope(|scope| {
        let f = &f;
        let spawn = |items| scope.spawn(move || -> Vec<R> { <[T]>::iter(items).map(f).collect() });
        let workers: Vec<_> = items.chunks(share).map(spawn).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("the work itself does not panic"))
            .collect()
    })
}
