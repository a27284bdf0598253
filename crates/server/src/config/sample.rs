//! The documented sample of the configuration file.

use super::{Config, LimitsConfig, Setting};

impl Config {
    /// The documented sample file: every setting with its default, commented out.
    pub fn sample() -> String {
        let mut text = String::from(
            "# Portolan's settings with their defaults. Remove the # in front of what you change.\n\
             # Each setting can also be given as a variable (PORTOLAN_LISTEN, PORTOLAN_LIMITS_CONNECTIONS)\n\
             # and some as a flag (--listen): flags override variables, which override this file.\n\
             # Show this text: portolan config sample\n",
        );
        let defaults = toml::Table::try_from(Config::default()).expect("the defaults are TOML");
        let limits = defaults["limits"].as_table().expect("limits are a table");
        let is_plain = |setting: &&Setting| setting.name != "limits";
        write_sample(&mut text, Config::SETTINGS.iter().filter(is_plain), &defaults);
        text.push_str("\n[limits]\n");
        write_sample(&mut text, LimitsConfig::SETTINGS.iter(), limits);
        text
    }
}

fn write_sample<'a>(text: &mut String, settings: impl Iterator<Item = &'a Setting>, defaults: &toml::Table) {
    for setting in settings {
        text.push('\n');
        for line in setting.doc {
            text.push_str(&format!("#{line}\n"));
        }
        match (setting.example, defaults.get(setting.name)) {
            (Some(example), _) => text.push_str(&format!("#{} = {example}\n", setting.name)),
            (None, Some(value)) => text.push_str(&format!("#{} = {value}\n", setting.name)),
            (None, None) => unreachable!("a setting without a default has an example"),
        }
    }
}
