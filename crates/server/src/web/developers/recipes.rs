//! "Try it": commands for a terminal that work with an app as it is registered. They hold
//! this server's address and the app's id, never a secret: that is asked for.

use crate::domain::client::{self, AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEPENDENT_TOKEN};
use crate::store::clients::Client;
use crate::web::pages::developers::{Recipe, Tool};

/// Stands for the address of an app that has registered none.
const NO_REDIRECT_URI: &str = "https://your-app.example/callback";

/// What can be tried with this app, the simplest first.
pub fn of(client: &Client, public_url: &str) -> Vec<Recipe> {
    let server = public_url.trim_end_matches('/');
    let words = Words {
        server,
        id: client.id.to_string(),
        redirect_uri: redirect_uri(client, server),
    };
    let signs_in = client::may_use(client, AUTHORIZATION_CODE);
    let mut recipes = Vec::new();
    let mut add = |tool, text| recipes.push(Recipe { tool, text });
    if client::may_use(client, CLIENT_CREDENTIALS) {
        add(Tool::Curl, words.curl_as_itself());
    }
    if signs_in && client.is_public() {
        add(Tool::Curl, words.curl_with_pkce());
        add(Tool::Python, words.python_with_pkce(client::is_native(client)));
    } else if signs_in {
        add(Tool::Python, words.python_sign_in());
    } else if client::may_use(client, CLIENT_CREDENTIALS) {
        add(Tool::Python, words.python_as_itself());
    }
    if client::may_use(client, DEPENDENT_TOKEN) {
        add(Tool::Introspection, words.curl_introspection());
    }
    if client::may_use(client, CLIENT_CREDENTIALS) {
        add(Tool::CommandLine, words.command_line());
    }
    recipes
}

/// Where the answer goes: a registered address, or the page of this server that shows the code.
fn redirect_uri(client: &Client, server: &str) -> String {
    if client::is_native(client) {
        return format!("{server}/v2/web/auth-code");
    }
    let registered = client.redirect_uris().into_iter().next();
    registered.unwrap_or_else(|| NO_REDIRECT_URI.to_owned())
}

struct Words<'a> {
    server: &'a str,
    id: String,
    redirect_uri: String,
}

impl Words<'_> {
    fn curl_as_itself(&self) -> String {
        let Self { server, id, .. } = self;
        format!(
            "read -rsp 'Secret: ' CLIENT_SECRET\n\
             curl -u \"{id}:$CLIENT_SECRET\" \\\n  \
             -d grant_type=client_credentials \\\n  \
             -d scope=openid \\\n  \
             {server}/v2/oauth2/token"
        )
    }

    fn curl_with_pkce(&self) -> String {
        let Self { server, id, .. } = self;
        let redirect_uri = shell(&self.redirect_uri);
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("response_type", "code")
            .append_pair("scope", "openid profile email")
            .append_pair("code_challenge_method", "S256")
            .finish();
        format!(
            "VERIFIER=$(openssl rand -hex 32)\n\
             CHALLENGE=$(printf %s \"$VERIFIER\" | openssl dgst -sha256 -binary | openssl base64 -A | tr '+/' '-_' | tr -d =)\n\
             echo \"{server}/v2/oauth2/authorize?{query}&code_challenge=$CHALLENGE\"\n\
             read -rp 'Code: ' CODE\n\
             curl -d grant_type=authorization_code \\\n  \
             -d client_id={id} \\\n  \
             -d code=\"$CODE\" \\\n  \
             -d code_verifier=\"$VERIFIER\" \\\n  \
             --data-urlencode redirect_uri={redirect_uri} \\\n  \
             {server}/v2/oauth2/token"
        )
    }

    fn curl_introspection(&self) -> String {
        let Self { server, id, .. } = self;
        format!(
            "read -rsp 'Secret: ' CLIENT_SECRET\n\
             read -rsp 'Token: ' TOKEN\n\
             curl -u \"{id}:$CLIENT_SECRET\" \\\n  \
             -d token=\"$TOKEN\" \\\n  \
             {server}/v2/oauth2/token/introspect"
        )
    }

    /// globus-sdk looks at the variable when it is loaded, and needs the slash.
    fn python(&self, rest: &str) -> String {
        let Self { server, .. } = self;
        format!(
            "import os\n\
             from getpass import getpass\n\n\
             os.environ[\"GLOBUS_SDK_SERVICE_URL_AUTH\"] = \"{server}/\"\n\
             import globus_sdk\n\n\
             {rest}\n\
             print(tokens.by_resource_server)"
        )
    }

    fn python_as_itself(&self) -> String {
        let Self { id, .. } = self;
        self.python(&format!(
            "client = globus_sdk.ConfidentialAppAuthClient(\"{id}\", getpass(\"Secret: \"))\n\
             tokens = client.oauth2_client_credentials_tokens(requested_scopes=\"openid\")"
        ))
    }

    fn python_sign_in(&self) -> String {
        let Self { id, redirect_uri, .. } = self;
        self.python(&format!(
            "client = globus_sdk.ConfidentialAppAuthClient(\"{id}\", getpass(\"Secret: \"))\n\
             client.oauth2_start_flow(\n    \
             redirect_uri=\"{redirect_uri}\",\n    \
             requested_scopes=\"openid profile email\",\n\
             )\n\
             print(client.oauth2_get_authorize_url())\n\
             tokens = client.oauth2_exchange_code_for_tokens(input(\"Code: \"))"
        ))
    }

    /// Without an address the SDK takes the page that shows the code.
    fn python_with_pkce(&self, shows_code: bool) -> String {
        let Self { id, redirect_uri, .. } = self;
        let redirect_uri = if shows_code {
            String::new()
        } else {
            format!("    redirect_uri=\"{redirect_uri}\",\n")
        };
        self.python(&format!(
            "client = globus_sdk.NativeAppAuthClient(\"{id}\")\n\
             client.oauth2_start_flow(\n\
             {redirect_uri}    requested_scopes=\"openid profile email\",\n\
             )\n\
             print(client.oauth2_get_authorize_url())\n\
             tokens = client.oauth2_exchange_code_for_tokens(input(\"Code: \"))"
        ))
        .replace("from getpass import getpass\n", "")
    }

    fn command_line(&self) -> String {
        let Self { server, id, .. } = self;
        format!(
            "export GLOBUS_SDK_SERVICE_URL_AUTH={server}/\n\
             export GLOBUS_CLI_CLIENT_ID={id}\n\
             read -rsp 'Secret: ' GLOBUS_CLI_CLIENT_SECRET\n\
             export GLOBUS_CLI_CLIENT_SECRET\n\
             globus whoami"
        )
    }
}

/// As one word of a shell, whatever is in it.
fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use portolan_types::{ClientId, Timestamp};

    use super::*;
    use crate::domain::client::{CLIENT_TYPES, grant_types};

    fn recipes(client_type: &str, uris: &[&str]) -> Vec<Recipe> {
        let mut client = Client::new(ClientId::from_u128(7), "App", client_type, Timestamp::from_seconds(0));
        client.grant_types = grant_types(client_type).unwrap_or_default().to_owned();
        client.set_redirect_uris(&uris.iter().map(|uri| (*uri).to_owned()).collect::<Vec<_>>());
        of(&client, "https://auth.example.org/")
    }

    #[test]
    fn every_type_has_commands_with_the_address_and_the_id() {
        for client_type in CLIENT_TYPES {
            let recipes = recipes(client_type, &[]);
            assert!(recipes.len() >= 2, "{client_type}");
            for recipe in recipes {
                assert!(
                    recipe.text.contains("https://auth.example.org/"),
                    "{client_type}: {}",
                    recipe.text
                );
                assert!(
                    recipe.text.contains("00000000-0000-0000-0000-000000000007"),
                    "{client_type}: {}",
                    recipe.text
                );
            }
        }
    }

    #[test]
    fn an_address_with_a_quotation_mark_stays_one_word() {
        let recipes = recipes("public_webapp_client", &["https://a.example/cb?x='$(id)'"]);
        let text = &recipes[0].text;
        assert!(
            text.contains(r"redirect_uri='https://a.example/cb?x='\''$(id)'\'''"),
            "{text}"
        );
        assert!(
            text.contains("redirect_uri=https%3A%2F%2Fa.example%2Fcb%3Fx%3D%27%24%28id%29%27"),
            "{text}"
        );
    }
}
