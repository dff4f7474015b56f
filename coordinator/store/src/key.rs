//! Order-preserving key encodings: byte order of encodings is the order of the values.

use processor_messages::{
    Attempt, BaseBlock, BatchId, Genesis, Incarnation, Network, Session, TransactionId, TributaryBlock,
    Validator, ValidatorSet,
};

/// A value with a self-delimiting encoding whose byte order is the value's order.
pub trait Key: Sized {
    /// Appends the encoding.
    fn encode_to(&self, bytes: &mut Vec<u8>);
    /// Takes one encoding off the front; `None` if it is not one.
    fn decode(bytes: &mut &[u8]) -> Option<Self>;
}

impl Key for () {
    fn encode_to(&self, _: &mut Vec<u8>) {}
    fn decode(_: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

macro_rules! integer {
  ($($type:ty)*) => {
    $(impl Key for $type {
      fn encode_to(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.to_be_bytes());
      }
      fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (head, tail) = bytes.split_first_chunk()?;
        *bytes = tail;
        Some(Self::from_be_bytes(*head))
      }
    })*
  };
}
integer!(u8 u16 u32 u64);

impl<const N: usize> Key for [u8; N] {
    fn encode_to(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self);
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (head, tail) = bytes.split_first_chunk()?;
        *bytes = tail;
        Some(*head)
    }
}

/// Zero bytes are escaped as `00 ff`; the end is `00 00`.
impl Key for Vec<u8> {
    fn encode_to(&self, bytes: &mut Vec<u8>) {
        for byte in self {
            bytes.push(*byte);
            if *byte == 0 {
                bytes.push(0xff);
            }
        }
        bytes.extend([0, 0]);
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut value = Vec::new();
        loop {
            match (u8::decode(bytes)?, bytes.first()) {
                (0, Some(0)) => {
                    u8::decode(bytes)?;
                    return Some(value);
                }
                (0, Some(0xff)) => {
                    u8::decode(bytes)?;
                    value.push(0);
                }
                (0, _) => return None,
                (byte, _) => value.push(byte),
            }
        }
    }
}

macro_rules! newtype {
  ($($type:ident)*) => {
    $(impl Key for $type {
      fn encode_to(&self, bytes: &mut Vec<u8>) {
        self.0.encode_to(bytes);
      }
      fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Key::decode(bytes).map($type)
      }
    })*
  };
}
newtype!(Session BatchId BaseBlock TributaryBlock Attempt Incarnation Validator Genesis TransactionId);

impl Key for Network {
    fn encode_to(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.as_str().bytes());
        bytes.push(0);
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|b| *b == 0)?;
        let (name, tail) = bytes.split_at_checked(end)?;
        *bytes = tail.get(1..)?;
        Network::new(std::str::from_utf8(name).ok()?).ok()
    }
}

impl Key for ValidatorSet {
    fn encode_to(&self, bytes: &mut Vec<u8>) {
        self.network.encode_to(bytes);
        self.session.encode_to(bytes);
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self { network: Key::decode(bytes)?, session: Key::decode(bytes)? })
    }
}

macro_rules! tuple {
  ($($name:ident)*) => {
    impl<$($name: Key),*> Key for ($($name,)*) {
      fn encode_to(&self, bytes: &mut Vec<u8>) {
        #[allow(non_snake_case, reason = "type parameters name the fields")]
        let ($($name,)*) = self;
        $($name.encode_to(bytes);)*
      }
      fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some(($($name::decode(bytes)?,)*))
      }
    }
  };
}
tuple!(A B);
tuple!(A B C);
tuple!(A B C D);
