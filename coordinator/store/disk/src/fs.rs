//! The few file operations the log needs, so that a test can lose what no fsync covers.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::PathBuf,
};

/// A directory of append-only files. What it does is lost by a crash, in whole or in part and in any order,
/// unless an fsync covers it: [`LogFile::sync`] a file's bytes and length, [`LogFs::sync_dir`] which names
/// exist.
pub(crate) trait LogFs: Send + 'static {
    /// An open file.
    type File: LogFile;

    /// The names that exist.
    fn list(&self) -> io::Result<Vec<String>>;
    /// The whole of a file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Creates a file, or empties it.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes created and removed names durable.
    fn sync_dir(&self) -> io::Result<()>;
    /// A number which nobody outside this process could foresee.
    fn salt(&self) -> u64;
}

/// A file open for appending.
pub(crate) trait LogFile: Send + 'static {
    /// Appends bytes.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes the file's bytes and length durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// A directory of the real file system.
pub(crate) struct RealFs(pub(crate) PathBuf);

impl LogFs for RealFs {
    type File = File;

    fn list(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(name))
    }

    fn create(&self, name: &str) -> io::Result<File> {
        File::create(self.0.join(name))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    fn salt(&self) -> u64 {
        // The standard library seeds its hash maps from the system's random source.
        use std::hash::{BuildHasher as _, Hasher as _};
        std::hash::RandomState::new().build_hasher().finish()
    }
}

impl LogFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
