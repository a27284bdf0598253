//! `portolan user`: local accounts, for the operator.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, Subcommand};
use portolan_db::{Db, ReadTx};
use portolan_server::Config;
use portolan_server::app::new_uuid;
use portolan_server::domain::address::{self, Site};
use portolan_server::domain::factors::{self, Removal};
use portolan_server::domain::identity::{self, NewLocalIdentity};
use portolan_server::domain::linking;
use portolan_server::domain::password::{self, Factors, Hasher};
use portolan_server::store::audit::{self, Actor, Event};
use portolan_server::store::identities::{self, Identity};
use portolan_server::store::identity_providers::LOCAL;
use portolan_types::{IdentityId, IdentitySetId, Secret, Timestamp};
use serde_json::{Value, json};

use crate::options::{Options, context};
use crate::output::{self, Confirmation};

#[derive(Subcommand)]
pub enum User {
    /// Make a local account
    #[command(after_help = "\
The password is asked for, or read from standard input. It needs at least 15 characters.

Examples:
  portolan user add alice --name 'Alice Liddell' --email alice@example.org
  pwgen 24 1 | portolan user add bob --name Bob --email bob@example.org --password-stdin")]
    Add(Add),
    /// List the local accounts
    List,
    /// Show one account
    Show(Which),
    /// Switch an account off: its sessions and tokens end at once
    Disable(Which),
    /// Switch an account on again
    Enable(Which),
    /// Set another password: sessions and tokens from before end
    SetPassword(SetPassword),
    /// Send the owner of an account a link to choose a new password with
    #[command(after_help = "\
The link goes to the e-mail address of the account and works for ten minutes; nobody else
learns it. Nothing changes until it is used.

Example:
  portolan user send-reset alice")]
    SendReset(Which),
    /// Link two accounts of one person: the second joins the first
    #[command(after_help = "\
Make sure that both belong to the same person: whoever can sign in with one of them can act
for both. People link their own accounts on the page /v2/web/identities.

Example:
  portolan user link alice alice@example.edu")]
    Link(Two),
    /// Unlink the second account from the first: tokens for it end at once
    Unlink(Two),
    /// Make the second account the primary of those linked with the first: new logins use it
    Primary(Two),
    /// Second factors of an account
    #[command(subcommand)]
    Factors(FactorsCommand),
}

#[derive(Args)]
pub struct Two {
    /// Username or id
    user: String,
    /// Username or id of the other account
    other: String,
}

#[derive(Subcommand)]
pub enum FactorsCommand {
    /// List the second factors of an account
    List(Which),
    /// Remove every second factor: the password alone is enough afterwards
    #[command(after_help = "\
For a person who has lost them and their recovery codes. Be sure who asks you: this is
what somebody would ask for who has their password. Set another password as well if theirs
is shorter than 15 characters.

Example:
  portolan user factors remove alice")]
    Remove(Remove),
}

#[derive(Args)]
pub struct Remove {
    /// Username or id
    user: String,
    #[command(flatten)]
    confirmation: Confirmation,
}

#[derive(Args)]
pub struct Add {
    /// alice, or alice@portolan.local
    username: String,
    /// The person's name
    #[arg(long)]
    name: String,
    #[arg(long)]
    email: String,
    /// An administrator of the server
    #[arg(long)]
    admin: bool,
    /// The person's organization
    #[arg(long)]
    organization: Option<String>,
    /// Read the password from standard input (its first line)
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Args)]
pub struct Which {
    /// Username or id
    user: String,
}

#[derive(Args)]
pub struct SetPassword {
    /// Username or id
    user: String,
    /// Read the password from standard input (its first line)
    #[arg(long)]
    password_stdin: bool,
}

impl User {
    pub fn run(self, options: &Options) -> Result<()> {
        match self {
            User::Add(add) => add.run(options),
            User::List => list(options),
            User::Show(Which { user }) => show(options, &user),
            User::Disable(Which { user }) => set_enabled(options, &user, false),
            User::Enable(Which { user }) => set_enabled(options, &user, true),
            User::SetPassword(command) => command.run(options),
            User::SendReset(Which { user }) => send_reset(options, &user),
            User::Link(two) => two.run(options, Linking::Link),
            User::Unlink(two) => two.run(options, Linking::Unlink),
            User::Primary(two) => two.run(options, Linking::Primary),
            User::Factors(FactorsCommand::List(Which { user })) => list_factors(options, &user),
            User::Factors(FactorsCommand::Remove(Remove { user, confirmation })) => {
                remove_factors(options, &user, &confirmation)
            }
        }
    }
}

impl Add {
    fn run(self, options: &Options) -> Result<()> {
        let (config, db) = options.store()?;
        // Before the password is asked for: nobody likes to type it twice.
        identity::local_username(&self.username, &config.local_domain).map_err(output::explain)?;
        let known = [&self.username, &self.name, &self.email];
        let hash = new_password(&config, self.password_stdin, &known.map(String::as_str))?;
        let new = NewLocalIdentity {
            username: self.username,
            name: self.name,
            email: self.email,
            organization: self.organization,
            password_hash: Some(hash),
            administrator: self.admin,
        };
        let ctx = context();
        let administrator = new.administrator;
        let identity = db
            .write_blocking(move |tx| {
                let identity = identity::create_local(tx, &ctx, &config.local_domain, &new)?;
                let detail = json!({ "username": identity.username, "administrator": new.administrator });
                audit::insert(tx, &ctx, &event("identity.create", identity.id, detail))?;
                Ok(identity)
            })
            .map_err(output::explain)?;
        let document = json!({
            "id": identity.id,
            "username": identity.username,
            "name": identity.name,
            "email": identity.email,
            "admin": administrator,
        });
        output::print(options.format, &document, || facts(&identity, administrator))
    }
}

impl SetPassword {
    fn run(self, options: &Options) -> Result<()> {
        let (config, db) = options.store()?;
        let (identity, administrator) = find(&db, &config, &self.user)?;
        if identity.provider_id != LOCAL {
            bail!("{} logs in elsewhere and has no password here", identity.username);
        }
        let known = [
            Some(identity.username.as_str()),
            identity.name.as_deref(),
            identity.email.as_deref(),
        ];
        let known: Vec<&str> = known.into_iter().flatten().collect();
        let hash = new_password(&config, self.password_stdin, &known)?;
        let (ctx, id) = (context(), identity.id);
        db.write_blocking(move |tx| {
            identity::set_password(tx, &ctx, id, &hash)?;
            audit::insert(tx, &ctx, &event("identity.set_password", id, json!({})))
        })
        .map_err(output::explain)?;
        output::print(options.format, &document(&identity, administrator), || {
            format!(
                "{} has a new password; sessions and tokens from before have ended.",
                identity.username
            )
        })
    }
}

#[derive(Clone, Copy)]
enum Linking {
    Link,
    Unlink,
    Primary,
}

impl Two {
    fn run(self, options: &Options, what: Linking) -> Result<()> {
        let (config, db) = options.store()?;
        let (user, _) = find(&db, &config, &self.user)?;
        let (other, _) = find(&db, &config, &self.other)?;
        let together = user.set_id == other.set_id && user.id != other.id;
        if !together && !matches!(what, Linking::Link) {
            bail!("{} is not linked with {}", other.username, user.username);
        }
        let (ctx, id, other_id, own_set) = (context(), user.id, other.id, IdentitySetId(new_uuid()));
        let set = db
            .write_blocking(move |tx| {
                match what {
                    Linking::Link => linking::link(tx, &ctx, Actor::Operator, id, other_id)?
                        .map_err(|refusal| portolan_server::Error::conflict(refusal.text()))?,
                    Linking::Unlink => linking::unlink(tx, &ctx, Actor::Operator, other_id, own_set)?,
                    Linking::Primary => linking::set_primary(tx, &ctx, Actor::Operator, other_id)?,
                }
                let user = identities::get(tx, id)?;
                identities::list_set(tx, user.set_id)
            })
            .map_err(output::explain)?;
        let documents: Vec<Value> = set
            .iter()
            .enumerate()
            .map(|(place, identity)| {
                json!({
                    "id": identity.id,
                    "username": identity.username,
                    "identity_provider": identity.provider_name,
                    "primary": place == 0,
                })
            })
            .collect();
        output::print(options.format, &json!({ "linked": documents }), || {
            let names: Vec<&str> = set.iter().map(|identity| identity.username.as_str()).collect();
            let primary = names.first().copied().unwrap_or_default();
            match (what, names.len()) {
                (Linking::Unlink, 1) => format!(
                    "{} is unlinked and tokens for it have ended; {primary} stands alone.",
                    other.username
                ),
                (Linking::Unlink, _) => format!(
                    "{} is unlinked and tokens for it have ended. Still linked: {}; the primary is {primary}.",
                    other.username,
                    names.join(", ")
                ),
                _ => format!("Linked: {}; the primary is {primary}.", names.join(", ")),
            }
        })
    }
}

fn list(options: &Options) -> Result<()> {
    let (_, db) = options.store()?;
    let users = db
        .read_blocking(|tx| {
            identities::list_by_provider(tx, LOCAL)?
                .into_iter()
                .map(|identity| {
                    let administrator = identities::is_administrator(tx, identity.id)?;
                    Ok::<_, portolan_server::Error>((identity, administrator))
                })
                .collect::<Result<Vec<_>, _>>()
        })
        .map_err(output::explain)?;
    let documents: Vec<Value> = users
        .iter()
        .map(|(identity, admin)| document(identity, *admin))
        .collect();
    output::print(options.format, &json!({ "users": documents }), || {
        let rows = users.iter().map(|(identity, admin)| {
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            vec![
                identity.username.clone(),
                text(&identity.name),
                text(&identity.email),
                state(identity).to_owned(),
                if *admin { "yes" } else { "" }.to_owned(),
                identity.id.to_string(),
            ]
        });
        output::list(&["username", "name", "email", "state", "admin", "id"], rows)
    })
}

fn show(options: &Options, user: &str) -> Result<()> {
    let (config, db) = options.store()?;
    let (identity, administrator) = find(&db, &config, user)?;
    output::print(options.format, &document(&identity, administrator), || {
        facts(&identity, administrator)
    })
}

fn set_enabled(options: &Options, user: &str, enabled: bool) -> Result<()> {
    let (config, db) = options.store()?;
    let (identity, _) = find(&db, &config, user)?;
    let (ctx, id) = (context(), identity.id);
    db.write_blocking(move |tx| identity::switch(tx, &ctx, Actor::Operator, id, enabled))
        .map_err(output::explain)?;
    let (identity, administrator) = find(&db, &config, &id.to_string())?;
    output::print(options.format, &document(&identity, administrator), || {
        format!("{} is {}.", identity.username, state(&identity))
    })
}

fn send_reset(options: &Options, user: &str) -> Result<()> {
    let app = options.app()?;
    if !app.config.sends_mail() {
        bail!("this server sends no mail: give it smtp_url and mail_from, or use portolan user set-password");
    }
    let (identity, _) = find(&app.db, &app.config, user)?;
    let site = Site {
        public_url: app.config.public_url(),
        local_domain: app.config.local_domain.clone(),
    };
    let (ctx, server, account) = (context(), app.clone(), identity.clone());
    app.db
        .write_blocking(move |tx| {
            address::send_reset_for(tx, &ctx, Actor::Operator, &server.master_key, &site, &account)
        })
        .map_err(output::explain)?;
    let document = json!({ "username": identity.username, "email": identity.email });
    output::print(options.format, &document, || {
        format!(
            "A link for a new password is on its way to {}.",
            identity.email.as_deref().unwrap_or_default()
        )
    })
}

fn list_factors(options: &Options, user: &str) -> Result<()> {
    let (config, db) = options.store()?;
    let (identity, _) = find(&db, &config, user)?;
    let id = identity.id;
    let available = db
        .read_blocking(move |tx| factors::available(tx, id))
        .map_err(output::explain)?;
    let mut rows: Vec<(&str, String, Timestamp, Option<Timestamp>)> = Vec::new();
    if let Some(totp) = &available.totp {
        rows.push(("totp", String::new(), totp.created_at, totp.last_used_at));
    }
    for passkey in &available.passkeys {
        rows.push((
            "passkey",
            passkey.name.clone(),
            passkey.created_at,
            passkey.last_used_at,
        ));
    }
    let documents: Vec<Value> = rows
        .iter()
        .map(|(kind, name, created, used)| json!({ "kind": kind, "name": name, "created": created, "last_used": used }))
        .collect();
    let document = json!({
        "username": identity.username,
        "factors": documents,
        "recovery_codes": available.recovery_codes,
    });
    output::print(options.format, &document, || {
        let rows = rows.iter().map(|(kind, name, created, used)| {
            let used = used.map(|at| at.to_string()).unwrap_or_default();
            vec![(*kind).to_owned(), name.clone(), created.to_string(), used]
        });
        let list = output::list(&["kind", "name", "created", "last used"], rows);
        format!("{list}\nrecovery codes left: {}", available.recovery_codes)
    })
}

fn remove_factors(options: &Options, user: &str, confirmation: &Confirmation) -> Result<()> {
    let (config, db) = options.store()?;
    let (identity, _) = find(&db, &config, user)?;
    confirmation.ask(&format!(
        "Every second factor of {} goes: the password alone is enough to sign in afterwards.",
        identity.username
    ))?;
    let (ctx, owner) = (context(), identity.clone());
    let removed = db
        .write_blocking(move |tx| factors::remove(tx, &ctx, Actor::Operator, &owner, Removal::All))
        .map_err(output::explain)?;
    let document = json!({ "username": identity.username, "removed": removed });
    output::print(options.format, &document, || {
        if removed {
            format!(
                "{} signs in with the password alone now; every session has ended.",
                identity.username
            )
        } else {
            format!("{} had no second factor.", identity.username)
        }
    })
}

fn event(action: &'static str, id: IdentityId, detail: Value) -> Event {
    Event {
        action,
        actor: Actor::Operator,
        resource_kind: "identity",
        resource_id: id.to_string(),
        detail,
    }
}

/// By id, by whole username, or by the part before the local domain.
fn find(db: &Db, config: &Config, user: &str) -> Result<(Identity, bool)> {
    let id = user.parse::<IdentityId>().ok();
    let username = identity::typed_username(user, &config.local_domain);
    let find = move |tx: &mut ReadTx| {
        let found = match id {
            Some(id) => identities::find(tx, id)?,
            None => identities::find_by_username(tx, &username)?,
        };
        let Some(identity) = found else {
            return Ok::<_, portolan_server::Error>(None);
        };
        let administrator = identities::is_administrator(tx, identity.id)?;
        Ok(Some((identity, administrator)))
    };
    db.read_blocking(find)
        .map_err(output::explain)?
        .ok_or_else(|| anyhow!("there is no account {user}; portolan user list shows them all"))
}

fn state(identity: &Identity) -> &'static str {
    match (identity.status.as_str(), identity.enabled) {
        ("closed", _) => "closed",
        (_, true) => "enabled",
        (_, false) => "disabled",
    }
}

fn document(identity: &Identity, administrator: bool) -> Value {
    json!({
        "id": identity.id,
        "username": identity.username,
        "name": identity.name,
        "email": identity.email,
        "organization": identity.organization,
        "admin": administrator,
        "enabled": identity.enabled,
        "status": identity.status,
        "created": identity.created_at,
        "last_authentication": identity.last_authentication_at,
    })
}

fn facts(identity: &Identity, administrator: bool) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    output::facts([
        ("username", identity.username.clone()),
        ("id", identity.id.to_string()),
        ("name", text(&identity.name)),
        ("email", text(&identity.email)),
        ("administrator", if administrator { "yes" } else { "no" }.to_owned()),
        ("state", state(identity).to_owned()),
    ])
}

/// Asks for a new password, checks that it cannot be guessed, and hashes it.
fn new_password(config: &Config, from_stdin: bool, known: &[&str]) -> Result<String> {
    let password = read_password(from_stdin)?;
    if let Err(weakness) = password::check_strength(&password, Factors::PasswordAlone, known) {
        bail!("this password cannot be used. {weakness}");
    }
    let hasher = Hasher::new(&config.password_hashing());
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(hasher.hash(password))?)
}

fn read_password(from_stdin: bool) -> Result<Secret> {
    if from_stdin {
        let mut line = String::new();
        std::io::stdin()
            .lock()
            .read_line(&mut line)
            .context("reading the password from standard input")?;
        let password = line.trim_end_matches(['\n', '\r']);
        if password.is_empty() {
            bail!("standard input holds no password: pipe it in, or leave out --password-stdin to be asked");
        }
        return Ok(Secret::new(password));
    }
    if !std::io::stdin().is_terminal() {
        bail!("nobody can be asked for the password here: give it on standard input with --password-stdin");
    }
    let prompt = dialoguer::Password::new()
        .with_prompt("Password (at least 15 characters)")
        .with_confirmation("The same again", "These are two different passwords.");
    Ok(Secret::new(prompt.interact()?))
}
