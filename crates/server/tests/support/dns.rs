//! A DNS server on this machine, for tests of what the server asks and believes.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

/// A DNS server that holds TXT records and nothing else.
pub struct Zone {
    pub address: SocketAddr,
    records: Arc<Mutex<Vec<(String, String)>>>,
    questions: Arc<Mutex<Vec<(String, u16)>>>,
}

impl Zone {
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let records: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let questions: Arc<Mutex<Vec<(String, u16)>>> = Arc::default();
        let (known, asked) = (records.clone(), questions.clone());
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, peer)) = socket.recv_from(&mut question) {
                let Some((name, kind, end)) = read_question(&question[..length]) else {
                    continue;
                };
                asked.lock().unwrap().push((name.clone(), kind));
                if let Some(answer) = answer(&question[..end], &name, &known.lock().unwrap()) {
                    socket.send_to(&answer, peer).unwrap();
                }
            }
        });
        Self {
            address,
            records,
            questions,
        }
    }

    pub fn set(&self, name: &str, text: &str) {
        let mut records = self.records.lock().unwrap();
        records.retain(|(known, _)| known != name);
        records.push((name.to_owned(), text.to_owned()));
    }

    /// What it was asked since the last look: names and the numbers of record types.
    pub fn take_questions(&self) -> Vec<(String, u16)> {
        std::mem::take(&mut self.questions.lock().unwrap())
    }
}

/// The name, the type, and where the question ends (RFC 1035 section 4.1.2).
fn read_question(question: &[u8]) -> Option<(String, u16, usize)> {
    let mut at = 12;
    let mut labels = Vec::new();
    while *question.get(at)? > 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8_lossy(question.get(at + 1..at + 1 + length)?).to_lowercase());
        at += length + 1;
    }
    let kind = u16::from_be_bytes([*question.get(at + 1)?, *question.get(at + 2)?]);
    Some((labels.join("."), kind, at + 5))
}

/// RFC 1035 section 4: the header and the question come back, with one record for each
/// text, or the code for a name that does not exist, or a failure for `broken.`.
fn answer(question: &[u8], name: &str, records: &[(String, String)]) -> Option<Vec<u8>> {
    let texts: Vec<&str> = records
        .iter()
        .filter(|(known, _)| known == name)
        .map(|(_, text)| text.as_str())
        .collect();
    let code = match texts.is_empty() {
        _ if name.starts_with("broken.") => 2,
        true => 3,
        false => 0,
    };
    let mut answer = question.to_vec();
    if answer.len() < 12 {
        return None;
    }
    answer[2..4].copy_from_slice(&[0x81, 0x80 | code]);
    answer[6..8].copy_from_slice(&u16::try_from(texts.len()).unwrap().to_be_bytes());
    answer[8..12].fill(0);
    for text in texts {
        // The name by reference, TXT, IN, no time to live, then texts of at most 255 bytes.
        answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 0]);
        let mut data = Vec::new();
        for piece in text.as_bytes().chunks(20) {
            data.push(u8::try_from(piece.len()).unwrap());
            data.extend(piece);
        }
        answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}
