//! What the DNS says about a domain name: the proof that a client controls it is a TXT
//! record with the client's id (wire.md 1.9). Nothing is kept between two questions, so
//! that a record which was just added counts.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::Resolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

/// How long one server may take for one question, and all of them together.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(8);

/// What was found for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The texts of its TXT records.
    Texts(Vec<String>),
    /// The name does not exist or has no such record.
    Nothing,
    /// Nobody answered, or not in a way that means something.
    NoAnswer,
}

impl Found {
    /// Whether a record says exactly this, in either case, with or without quotes around it.
    pub fn says(&self, wanted: &str) -> bool {
        let Found::Texts(texts) = self else { return false };
        let plain = |text: &str| text.trim().trim_matches('"').trim().to_ascii_lowercase();
        texts.iter().any(|text| plain(text) == wanted.to_ascii_lowercase())
    }
}

/// The TXT records of a name, asked of this server or of those that the system uses.
pub async fn find_texts(server: Option<SocketAddr>, name: &str) -> Found {
    match tokio::time::timeout(TIMEOUT, ask(server, name)).await {
        Ok(Ok(texts)) => Found::Texts(texts),
        Ok(Err(error)) if error.is_no_records_found() => Found::Nothing,
        Ok(Err(error)) => {
            tracing::warn!(name, %error, "the DNS gave no answer");
            Found::NoAnswer
        }
        Err(_) => {
            tracing::warn!(name, "the DNS did not answer in time");
            Found::NoAnswer
        }
    }
}

async fn ask(server: Option<SocketAddr>, name: &str) -> Result<Vec<String>, NetError> {
    let mut builder = match server {
        Some(server) => {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for connection in &mut connections {
                connection.port = server.port();
            }
            let server = NameServerConfig::new(server.ip(), true, connections);
            Resolver::builder_with_config(
                ResolverConfig::from_name_servers(vec![server]),
                TokioRuntimeProvider::default(),
            )
        }
        None => Resolver::builder_tokio()?,
    };
    let options = builder.options_mut();
    options.timeout = QUESTION_TIMEOUT;
    options.attempts = 1;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    // The last dot keeps the search list of the system out of it.
    let answer = builder.build()?.lookup(format!("{name}."), RecordType::TXT).await?;
    let texts = answer.answers().iter().filter_map(|record| match &record.data {
        RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
        _ => None,
    });
    Ok(texts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_exactly_the_id() {
        let found = |text: &str| Found::Texts(vec!["v=spf1 -all".into(), text.into()]);
        let id = "5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f";
        assert!(found(id).says(id));
        assert!(found(&format!(" \"{}\" ", id.to_uppercase())).says(id));
        assert!(!found(&format!("{id}0")).says(id));
        assert!(!found(&format!("client={id}")).says(id));
        assert!(!Found::Nothing.says(id) && !Found::NoAnswer.says(id));
    }
}
