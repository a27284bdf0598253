//! Hands messages to the operator's mail server, RFC 5321.
//!
//! Each message has a connection of its own: kept ones go stale. Headers are written by
//! the library from typed values, so no text of ours or of others can begin a new one.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use portolan_types::Timestamp;
use uuid::Uuid;

use crate::config::{Config, SmtpTls};

/// For a whole attempt.
const TIMEOUT: Duration = Duration::from_secs(30);

pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// A message as it is sent.
#[derive(Clone, Debug)]
pub struct Letter {
    pub id: Uuid,
    pub recipient: String,
    pub subject: String,
    pub body: String,
    pub written_at: Timestamp,
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Trying again would be of no use: the mail server has refused this message.
    ForGood(String),
    Now(String),
}

impl Smtp {
    /// As configured; none if no mail server is.
    pub fn new(config: &Config) -> Result<Option<Self>, String> {
        let (Some(server), Some(from)) = (config.smtp_server()?, &config.mail_from) else {
            return Ok(None);
        };
        let from = from.parse().map_err(|error| format!("mail_from: {error}"))?;
        let mut parameters = TlsParameters::builder(server.host.clone());
        if let Some(path) = &config.smtp_ca_file {
            let failed = |reason: String| format!("smtp_ca_file: {}: {reason}", path.display());
            let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
            let certificate = Certificate::from_pem(&pem).map_err(|error| failed(error.to_string()))?;
            parameters = parameters.add_root_certificate(certificate);
        }
        let parameters = || parameters.build().map_err(|error| format!("smtp_url: {error}"));
        let tls = match server.tls {
            SmtpTls::None => Tls::None,
            SmtpTls::StartTls => Tls::Required(parameters()?),
            SmtpTls::FromTheStart => Tls::Wrapper(parameters()?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.host)
            .port(server.port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let (Some(username), Some(path)) = (&config.smtp_username, &config.smtp_password_file) {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("smtp_password_file: {}: {error}", path.display()))?;
            let password = text.lines().next().unwrap_or_default().to_owned();
            builder = builder.credentials(Credentials::new(username.clone(), password));
        }
        Ok(Some(Self {
            transport: builder.build(),
            from,
        }))
    }

    pub async fn send(&self, letter: &Letter) -> Result<(), Failure> {
        let message = self.write(letter).map_err(Failure::ForGood)?;
        let sent = tokio::time::timeout(2 * TIMEOUT, self.transport.send(message)).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                // 53x is about our credentials, not about the message.
                let code = error.status().map(u16::from);
                let about_us = code.is_some_and(|code| (530..540).contains(&code));
                let text = std::error::Error::source(&error)
                    .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
                if error.is_permanent() && !about_us {
                    Err(Failure::ForGood(text))
                } else {
                    Err(Failure::Now(text))
                }
            }
            Err(_) => Err(Failure::Now("the mail server does not answer".into())),
        }
    }

    fn write(&self, letter: &Letter) -> Result<Message, String> {
        let to: Address = letter
            .recipient
            .parse()
            .map_err(|error| format!("the recipient's address cannot be used: {error}"))?;
        let since_1970 = Duration::from_micros(u64::try_from(letter.written_at.micros()).unwrap_or_default());
        let builder: MessageBuilder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject.clone())
            .date(UNIX_EPOCH + since_1970)
            // The same at each attempt: whoever gets a message twice can tell.
            .message_id(Some(format!("<{}@{}>", letter.id, self.from.email.domain())))
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN);
        builder.body(letter.body.clone()).map_err(|error| error.to_string())
    }
}

/// RFC 3834: answering machines shall not answer.
#[derive(Clone)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".into())
    }
}
