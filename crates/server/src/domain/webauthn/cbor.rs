//! As much CBOR as authenticators speak (CTAP 2 canonical form): definite lengths, the
//! shortest form of each number, no key twice, no tags, no fractions, little nesting.
//! Whatever else arrives is refused: two readers must not disagree about what was signed.

use super::Refusal;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Int(i64),
    Bytes(Vec<u8>),
    Text(String),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Bool(bool),
    Null,
}

const MALFORMED: Refusal = Refusal::Malformed("CBOR");
const MAX_DEPTH: usize = 6;

pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.at
    }

    pub fn end(&self) -> Result<(), Refusal> {
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(MALFORMED)
        }
    }

    pub fn value(&mut self) -> Result<Value, Refusal> {
        self.nested(0)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Refusal> {
        let end = self.at.checked_add(length).ok_or(MALFORMED)?;
        let taken = self.bytes.get(self.at..end).ok_or(MALFORMED)?;
        self.at = end;
        Ok(taken)
    }

    /// Major type and argument of the next item.
    fn head(&mut self) -> Result<(u8, u64), Refusal> {
        let first = self.take(1)?[0];
        let (major, short) = (first >> 5, first & 0x1f);
        let (argument, least) = match short {
            0..24 => return Ok((major, u64::from(short))),
            24 => (u64::from(self.take(1)?[0]), 24),
            25 => (self.number::<2>()?, 1 << 8),
            26 => (self.number::<4>()?, 1 << 16),
            27 => (self.number::<8>()?, 1 << 32),
            _ => return Err(MALFORMED),
        };
        // A shorter form would have done. (Simple values and fractions come here too: of
        // those with an argument none is known.)
        if argument < least || major == 7 {
            return Err(MALFORMED);
        }
        Ok((major, argument))
    }

    fn number<const N: usize>(&mut self) -> Result<u64, Refusal> {
        let bytes = self.take(N)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn nested(&mut self, depth: usize) -> Result<Value, Refusal> {
        if depth > MAX_DEPTH {
            return Err(MALFORMED);
        }
        let (major, argument) = self.head()?;
        let length = || usize::try_from(argument).map_err(|_| MALFORMED);
        match major {
            0 => i64::try_from(argument).map(Value::Int).map_err(|_| MALFORMED),
            1 => i64::try_from(argument)
                .map(|n| Value::Int(-1 - n))
                .map_err(|_| MALFORMED),
            2 => Ok(Value::Bytes(self.take(length()?)?.to_vec())),
            3 => {
                let text = std::str::from_utf8(self.take(length()?)?).map_err(|_| MALFORMED)?;
                Ok(Value::Text(text.to_owned()))
            }
            // What is announced must fit into what is left, so nothing is set aside for it.
            4 => {
                let mut list = Vec::new();
                for _ in 0..argument {
                    list.push(self.nested(depth + 1)?);
                }
                Ok(Value::List(list))
            }
            5 => {
                let mut map: Vec<(Value, Value)> = Vec::new();
                for _ in 0..argument {
                    let key = self.nested(depth + 1)?;
                    if map.iter().any(|(known, _)| *known == key) {
                        return Err(MALFORMED);
                    }
                    map.push((key, self.nested(depth + 1)?));
                }
                Ok(Value::Map(map))
            }
            7 => match argument {
                20 => Ok(Value::Bool(false)),
                21 => Ok(Value::Bool(true)),
                22 => Ok(Value::Null),
                _ => Err(MALFORMED),
            },
            _ => Err(MALFORMED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Value, Refusal> {
        let mut reader = Reader::new(bytes);
        let value = reader.value()?;
        reader.end()?;
        Ok(value)
    }

    #[test]
    fn what_authenticators_send_is_read() {
        let table: &[(&[u8], Value)] = &[
            (&[0x17], Value::Int(23)),
            (&[0x18, 24], Value::Int(24)),
            (&[0x19, 1, 0], Value::Int(256)),
            (&[0x1a, 0, 1, 0, 0], Value::Int(65_536)),
            (&[0x1b, 0, 0, 0, 1, 0, 0, 0, 0], Value::Int(4_294_967_296)),
            (&[0xf4], Value::Bool(false)),
            (&[0x26], Value::Int(-7)),
            (&[0x39, 1, 0], Value::Int(-257)),
            (&[0x43, 1, 2, 3], Value::Bytes(vec![1, 2, 3])),
            (&[0x63, b'f', b'm', b't'], Value::Text("fmt".into())),
            (&[0x80], Value::List(vec![])),
            (&[0xa1, 1, 0xf5], Value::Map(vec![(Value::Int(1), Value::Bool(true))])),
            (&[0xf6], Value::Null),
            (
                &[0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x01],
                (0..6).fold(Value::Int(1), |inner, _| Value::List(vec![inner])),
            ),
            (
                &[0xa1, 1, 0xa1, 1, 0xa1, 1, 0xa1, 1, 0xa1, 1, 0xa1, 1, 1],
                (0..6).fold(Value::Int(1), |inner, _| Value::Map(vec![(Value::Int(1), inner)])),
            ),
            (
                &[0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 1, 1, 1, 1, 1, 1, 1],
                (0..6).fold(Value::Int(1), |inner, _| Value::Map(vec![(inner, Value::Int(1))])),
            ),
        ];
        for (bytes, value) in table {
            assert_eq!(read(bytes).as_ref(), Ok(value), "{bytes:x?}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let table: &[(&str, &[u8])] = &[
            ("nothing", &[]),
            ("more than one", &[0x01, 0x01]),
            ("a longer form than needed", &[0x18, 23]),
            ("a longer form than needed", &[0x19, 0, 255]),
            ("a longer form than needed", &[0x1a, 0, 0, 255, 255]),
            ("a longer form than needed", &[0x1b, 0, 0, 0, 0, 255, 255, 255, 255]),
            ("cut off", &[0x19, 1]),
            ("cut off", &[0x43, 1, 2]),
            (
                "more announced than there is",
                &[0x5b, 255, 255, 255, 255, 255, 255, 255, 255],
            ),
            (
                "more announced than there is",
                &[0x9b, 255, 255, 255, 255, 255, 255, 255, 255],
            ),
            ("an endless string", &[0x5f, 0x41, 1, 0xff]),
            ("an endless map", &[0xbf, 0xff]),
            ("a tag", &[0xc0, 0x01]),
            ("a fraction", &[0xf9, 0x3c, 0]),
            ("undefined", &[0xf7]),
            ("a key twice", &[0xa2, 1, 2, 1, 3]),
            ("no text", &[0x62, 0xff, 0xfe]),
            ("deep nesting", &[0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x01]),
            (
                "deep nesting",
                &[0xa1, 1, 0xa1, 1, 0xa1, 1, 0xa1, 1, 0xa1, 1, 0xa1, 1, 0xa1, 1, 1],
            ),
            (
                "deep nesting in keys",
                &[0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 0xa1, 1, 1, 1, 1, 1, 1, 1, 1],
            ),
        ];
        for (what, bytes) in table {
            assert_eq!(read(bytes), Err(MALFORMED), "{what}: {bytes:x?}");
        }
    }
}
