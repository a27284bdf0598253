//! `portolan serve`.

use anyhow::Result;
use clap::Args;
use portolan_server::Config;

use crate::options::Options;
use crate::output;

/// Run the server until a signal ends it.
///
/// On an empty folder it makes everything it needs, prints a link where the first
/// administrator is made, and then the line `portolan ready at URL`. SIGTERM and Ctrl-C
/// stop it in order, SIGHUP reads the TLS certificate again.
#[derive(Args)]
#[command(after_help = "\
Examples:
  portolan serve
  portolan serve --listen 127.0.0.1:0
  portolan serve --public-url https://auth.example.org --listen 0.0.0.0:443 \\
      --tls-certificate-file fullchain.pem --tls-key-file privkey.pem
  portolan serve --database postgres://portolan@db.example.org/portolan")]
pub struct Serve {
    /// Address and port; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The address people and programs use [default: http://localhost:PORT]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Metrics and health on a listener of their own
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<String>,
    /// Serve plain http under a public address that is not this machine
    #[arg(long)]
    insecure_http: bool,
    /// Certificate chain (PEM), to speak TLS without a proxy
    #[arg(long, value_name = "FILE")]
    tls_certificate_file: Option<String>,
    /// Private key (PEM) of the certificate
    #[arg(long, value_name = "FILE")]
    tls_key_file: Option<String>,
    /// Proxies whose X-Forwarded-For is believed, separated by commas
    #[arg(long, value_name = "NETWORKS")]
    trusted_proxies: Option<String>,
    /// auto applies pending migrations, check refuses to start [default: auto]
    #[arg(long, value_name = "MODE")]
    migrate: Option<String>,
    /// The domain of local accounts [default: portolan.local]
    #[arg(long, value_name = "DOMAIN")]
    local_domain: Option<String>,
    /// Shown on login and error pages
    #[arg(long, value_name = "TEXT")]
    operator_contact: Option<String>,
    /// human or json [default: human]
    #[arg(long, value_name = "FORM")]
    log_format: Option<String>,
    /// error, warn, info, debug or a filter [default: info]
    #[arg(long, value_name = "FILTER")]
    log_level: Option<String>,
}

impl Serve {
    pub fn run(self, options: &Options) -> Result<()> {
        let mut sources = options.sources();
        let given = [
            ("listen", self.listen),
            ("public_url", self.public_url),
            ("metrics_listen", self.metrics_listen),
            ("insecure_http", self.insecure_http.then(|| "true".to_owned())),
            ("tls_certificate_file", self.tls_certificate_file),
            ("tls_key_file", self.tls_key_file),
            ("trusted_proxies", self.trusted_proxies),
            ("migrate", self.migrate),
            ("local_domain", self.local_domain),
            ("operator_contact", self.operator_contact),
            ("log_format", self.log_format),
            ("log_level", self.log_level),
        ];
        sources
            .flags
            .extend(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
        for variable in Config::unknown_variables(&sources) {
            output::note(&format!(
                "portolan: the variable {variable} names no setting and is ignored"
            ));
        }
        Ok(portolan_server::serve::serve(Config::load(&sources)?)?)
    }
}
