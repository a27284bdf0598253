//! `portolan profile`: the servers that somebody uses.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::login::end_tokens;
use crate::exit::Exit;
use crate::options::Options;
use crate::output::{self, yes_no};
use crate::profiles::{self, Profile as Record, Profiles};

#[derive(Subcommand)]
pub enum Profile {
    /// List all profiles; the current one has a star
    List,
    /// Show one profile: its server, its client, who is logged in, where the tokens lie
    Show {
        /// The current one if left away
        name: Option<String>,
    },
    /// Choose the profile that is meant when none is named
    #[command(after_help = "\
Examples:
  portolan profile use lab
  portolan --profile lab whoami      for one command
  export PORTOLAN_PROFILE=lab        for one shell")]
    Use { name: String },
    /// Log out and forget a profile
    Remove {
        name: String,
        /// Forget it also if the server cannot be told
        #[arg(long)]
        forget: bool,
    },
}

impl Profile {
    pub fn run(self, options: &Options) -> Result<()> {
        options.refuse_store("profiles are of running servers")?;
        match self {
            Self::List => list(options),
            Self::Show { name } => show(options, name),
            Self::Use { name } => choose(options, name),
            Self::Remove { name, forget } => remove(options, name, forget),
        }
    }
}

fn list(options: &Options) -> Result<()> {
    let all = Profiles::load()?;
    let documents = all
        .profiles
        .iter()
        .map(|(name, profile)| document(&all, name, profile))
        .collect::<Result<Vec<_>>>()?;
    output::print(options.format, &json!({ "profiles": documents }), || {
        if documents.is_empty() {
            return "There is no profile; make one with portolan login --server URL.".to_owned();
        }
        let rows = documents.iter().map(|document| {
            let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
            let is = |name: &str| document[name] == true;
            vec![
                if is("current") { "*" } else { "" }.to_owned(),
                text("name"),
                text("server"),
                text("username"),
                yes_no(is("logged_in")),
            ]
        });
        output::list(&["", "name", "server", "who", "logged in"], rows)
    })
}

fn show(options: &Options, name: Option<String>) -> Result<()> {
    let all = Profiles::load()?;
    let found = match name {
        Some(name) => Some((name.clone(), all.get(&name)?.clone())),
        None => options.find_profile(&all)?,
    };
    let Some((name, profile)) = found else {
        return Err(Exit::LoginNeeded.because("there is no profile; type: portolan login --server URL"));
    };
    let document = document(&all, &name, &profile)?;
    output::print(options.format, &document, || {
        let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
        output::facts([
            ("name", name.clone()),
            ("server", text("server")),
            ("client", text("client_id")),
            ("who", text("username")),
            ("logged in", yes_no(document["logged_in"] == true)),
            ("current", yes_no(document["current"] == true)),
            ("tokens", text("token_file")),
        ])
    })
}

fn choose(options: &Options, name: String) -> Result<()> {
    let (profile, document) = Profiles::change(|all| {
        let profile = all.get(&name)?.clone();
        all.current = Some(name.clone());
        let document = document(all, &name, &profile)?;
        Ok((profile, document))
    })?;
    output::print(options.format, &document, || {
        format!("{name} is the current profile: {}.", profile.server)
    })
}

fn remove(options: &Options, name: String, forget: bool) -> Result<()> {
    let profile = Profiles::load()?.get(&name)?.clone();
    end_tokens(&name, &profile, forget)?;
    profiles::remove_tokens(&name)?;
    Profiles::change(|all| {
        all.profiles.remove(&name);
        if all.current.as_ref() == Some(&name) {
            all.current = None;
        }
        Ok(())
    })?;
    output::print(options.format, &json!({ "removed": name }), || {
        format!("{name} is removed.")
    })
}

fn document(all: &Profiles, name: &str, profile: &Record) -> Result<Value> {
    Ok(json!({
        "name": name,
        "server": profile.server,
        "client_id": profile.client_id,
        "username": profile.username,
        "current": all.current.as_deref() == Some(name),
        "logged_in": profiles::has_tokens(name)?,
        "token_file": profiles::token_path(name)?,
    }))
}
