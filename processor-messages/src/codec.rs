//! Bounded decoding: the only way in for bytes of others.

use std::{
    io::{self, Read, Write},
    ops::Deref,
};

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The largest encoded message in either direction, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 2 * 1024 * 1024;

/// What is allocated for bytes before any of them is read, at most.
const FIRST_BYTES: usize = 256;

/// Why bytes are not a value of the type asked for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// Longer than the bound of its kind.
    #[error("{length} bytes where at most {limit} are allowed")]
    TooLong {
        /// Bytes received.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not an encoding of this type, or one with trailing bytes.
    #[error("not a valid encoding: {0}")]
    Malformed(String),
}

/// Encodes a value; infallible, as writing to memory is.
pub fn encode<T: BorshSerialize>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("writing to memory does not fail and lists are bounded")
}

/// Decodes a whole buffer of at most `limit` bytes.
///
/// # Errors
/// [`DecodeError`] if the buffer is longer than `limit`, malformed, or has trailing bytes.
pub fn decode<T: BorshDeserialize>(bytes: &[u8], limit: usize) -> Result<T, DecodeError> {
    if bytes.len() > limit {
        return Err(DecodeError::TooLong { length: bytes.len(), limit });
    }
    borsh::from_slice(bytes).map_err(|e| DecodeError::Malformed(e.to_string()))
}

fn too_long(length: usize, limit: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, DecodeError::TooLong { length, limit })
}

/// At most `MAX` bytes. Encoded as a u32 length and the bytes; as hex in JSON.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes<const MAX: usize>(Vec<u8>);

impl<const MAX: usize> Bytes<MAX> {
    /// Takes the bytes if there are at most `MAX`.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        if bytes.len() > MAX {
            return Err(DecodeError::TooLong { length: bytes.len(), limit: MAX });
        }
        Ok(Self(bytes))
    }

    /// The bytes themselves.
    pub fn into_inner(self) -> Vec<u8> {
        self.0
    }
}

impl<const MAX: usize> std::fmt::Debug for Bytes<MAX> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.len() {
            0..=64 => write!(f, "{}", hex::encode(&self.0)),
            n => {
                write!(f, "{}… ({n} bytes)", hex::encode(self.0.iter().take(16).copied().collect::<Vec<_>>()))
            }
        }
    }
}

impl<const MAX: usize> Deref for Bytes<MAX> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<const MAX: usize> TryFrom<Vec<u8>> for Bytes<MAX> {
    type Error = DecodeError;
    fn try_from(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        Self::new(bytes)
    }
}

impl<const MAX: usize> BorshSerialize for Bytes<MAX> {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        BorshSerialize::serialize(&self.0, writer)
    }
}

impl<const MAX: usize> BorshDeserialize for Bytes<MAX> {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let length = usize::try_from(u32::deserialize_reader(reader)?).unwrap_or(usize::MAX);
        if length > MAX {
            return Err(too_long(length, MAX));
        }
        // `take` grows the buffer with what is really there, so a false length allocates no more than this.
        let mut bytes = Vec::with_capacity(length.min(FIRST_BYTES));
        reader.take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self(bytes))
    }
}

impl<const MAX: usize> Serialize for Bytes<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Bytes<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as Deserialize>::deserialize(deserializer)?;
        if text.len() > MAX.saturating_mul(2) {
            return Err(D::Error::custom(DecodeError::TooLong { length: text.len() / 2, limit: MAX }));
        }
        hex::decode(text.as_ref()).map(Self).map_err(D::Error::custom)
    }
}

/// At most `MAX` values. Encoded as a u32 length and the values.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct List<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MAX: usize> List<T, MAX> {
    /// Takes the values if there are at most `MAX`.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`], counting values.
    pub fn new(values: Vec<T>) -> Result<Self, DecodeError> {
        if values.len() > MAX {
            return Err(DecodeError::TooLong { length: values.len(), limit: MAX });
        }
        Ok(Self(values))
    }

    /// The values themselves.
    pub fn into_inner(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MAX: usize> Deref for List<T, MAX> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MAX: usize> TryFrom<Vec<T>> for List<T, MAX> {
    type Error = DecodeError;
    fn try_from(values: Vec<T>) -> Result<Self, DecodeError> {
        Self::new(values)
    }
}

impl<T, const MAX: usize> IntoIterator for List<T, MAX> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T, const MAX: usize> IntoIterator for &'a List<T, MAX> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: BorshSerialize, const MAX: usize> BorshSerialize for List<T, MAX> {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        BorshSerialize::serialize(&self.0, writer)
    }
}

impl<T: BorshDeserialize, const MAX: usize> BorshDeserialize for List<T, MAX> {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let length = usize::try_from(u32::deserialize_reader(reader)?).unwrap_or(usize::MAX);
        if length > MAX {
            return Err(too_long(length, MAX));
        }
        // Grows with what decodes, so a false length allocates nothing.
        let mut values = Vec::new();
        for _ in 0..length {
            values.push(T::deserialize_reader(reader)?);
        }
        Ok(Self(values))
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(<Vec<T> as Deserialize>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
