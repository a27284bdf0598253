//! Globus Auth requirements errors ("GARE"): a service refuses and says what the person must
//! do so that the same call succeeds. Services have said so in five forms over the years;
//! [`to_gare`] reads them all (wire.md 5.11).

use serde_json::{Map, Value};

use crate::error::{AuthApiError, ErrorSubdocument, text_list};

/// What a login must bring. The names are those of the authorize request.
///
/// ```
/// use portolan_sdk::AuthorizationParameters;
///
/// let parameters = AuthorizationParameters {
///     session_required_single_domain: Some(vec!["example.edu".to_owned()]),
///     prompt: Some("login".to_owned()),
///     ..AuthorizationParameters::default()
/// };
/// assert_eq!(
///     serde_json::Value::Object(parameters.to_object(false)),
///     serde_json::json!({"session_required_single_domain": ["example.edu"], "prompt": "login"})
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuthorizationParameters {
    /// Shown to the person on the login page.
    pub session_message: Option<String>,
    /// Identities that must be in the session.
    pub session_required_identities: Option<Vec<String>>,
    /// Policies that must be met.
    pub session_required_policies: Option<Vec<String>>,
    /// Domains, one of which the person must log in with.
    pub session_required_single_domain: Option<Vec<String>>,
    /// Whether a second factor is needed.
    pub session_required_mfa: Option<bool>,
    /// Scopes to consent to, possibly with dependencies.
    pub required_scopes: Option<Vec<String>>,
    /// `login` asks for a new login even where there is one.
    pub prompt: Option<String>,
    /// What else the document said.
    pub extra: Map<String, Value>,
}

impl AuthorizationParameters {
    /// Reads an object whose members all have the type that they should have; anything else
    /// is `None`.
    ///
    /// ```
    /// use portolan_sdk::AuthorizationParameters;
    /// use serde_json::json;
    ///
    /// let read = |document: serde_json::Value| AuthorizationParameters::from_object(document.as_object().unwrap());
    /// assert_eq!(read(json!({"session_required_mfa": true})).unwrap().session_required_mfa, Some(true));
    /// assert!(read(json!({"session_required_mfa": "yes"})).is_none());
    /// ```
    pub fn from_object(document: &Map<String, Value>) -> Option<Self> {
        Self::read(document, false)
    }

    /// Lists may be texts with commas where `joined` allows it.
    fn read(document: &Map<String, Value>, joined: bool) -> Option<Self> {
        let mut reader = Reader {
            rest: document.clone(),
            joined,
        };
        let parameters = Self {
            session_message: reader.text("session_message")?,
            session_required_identities: reader.list("session_required_identities", false)?,
            session_required_policies: reader.list("session_required_policies", true)?,
            session_required_single_domain: reader.list("session_required_single_domain", true)?,
            session_required_mfa: reader.truth("session_required_mfa")?,
            required_scopes: reader.list("required_scopes", false)?,
            prompt: reader.text("prompt")?,
            extra: reader.rest,
        };
        Some(parameters)
    }

    /// The object again, without members that are not set.
    pub fn to_object(&self, include_extra: bool) -> Map<String, Value> {
        let list = |texts: &Option<Vec<String>>| texts.clone().map(Value::from);
        let text = |text: &Option<String>| text.clone().map(Value::from);
        let members = [
            ("session_message", text(&self.session_message)),
            ("session_required_identities", list(&self.session_required_identities)),
            ("session_required_policies", list(&self.session_required_policies)),
            (
                "session_required_single_domain",
                list(&self.session_required_single_domain),
            ),
            ("session_required_mfa", self.session_required_mfa.map(Value::from)),
            ("required_scopes", list(&self.required_scopes)),
            ("prompt", text(&self.prompt)),
        ];
        let set = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let mut object: Map<String, Value> = set.collect();
        if include_extra {
            object.extend(self.extra.clone());
        }
        object
    }
}

/// Takes the known members out of a document. The outer `Option` is `None` for a member of
/// the wrong type, the inner one for a member that is missing or `null`.
struct Reader {
    rest: Map<String, Value>,
    joined: bool,
}

impl Reader {
    fn take(&mut self, name: &str) -> Option<Value> {
        self.rest.remove(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str) -> Option<Option<String>> {
        match self.take(name) {
            None => Some(None),
            Some(Value::String(text)) => Some(Some(text)),
            Some(_) => None,
        }
    }

    fn truth(&mut self, name: &str) -> Option<Option<bool>> {
        match self.take(name) {
            None => Some(None),
            Some(Value::Bool(truth)) => Some(Some(truth)),
            Some(_) => None,
        }
    }

    fn list(&mut self, name: &str, may_be_joined: bool) -> Option<Option<Vec<String>>> {
        match self.take(name) {
            None => Some(None),
            Some(Value::String(text)) if may_be_joined && self.joined => {
                Some(Some(text.split(',').map(str::to_owned).collect()))
            }
            Some(value) => text_list(&value).map(Some),
        }
    }
}

/// A refusal with the way out of it.
///
/// ```
/// use portolan_sdk::gare::{self, Gare};
/// use serde_json::json;
///
/// let gare = gare::from_value(&json!({"code": "ConsentRequired", "required_scopes": ["a[b]"]})).unwrap();
/// assert_eq!(gare.code, "ConsentRequired");
/// assert_eq!(gare.authorization_parameters.required_scopes.unwrap(), ["a[b]"]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Gare {
    /// `ConsentRequired`, `AuthorizationRequired`, or a word of the service.
    pub code: String,
    /// What the next login must bring.
    pub authorization_parameters: AuthorizationParameters,
    /// What else the document said.
    pub extra: Map<String, Value>,
}

impl Gare {
    /// The document in the form that is agreed on.
    ///
    /// ```
    /// use portolan_sdk::gare;
    /// use serde_json::{Value, json};
    ///
    /// let gare = gare::from_value(&json!({"code": "ConsentRequired", "required_scope": "a"})).unwrap();
    /// assert_eq!(
    ///     Value::Object(gare.to_object(false)),
    ///     json!({"code": "ConsentRequired", "authorization_parameters": {"required_scopes": ["a"]}})
    /// );
    /// ```
    pub fn to_object(&self, include_extra: bool) -> Map<String, Value> {
        let parameters = self.authorization_parameters.to_object(include_extra);
        let mut object = Map::from_iter([
            ("code".to_owned(), Value::from(self.code.clone())),
            ("authorization_parameters".to_owned(), Value::Object(parameters)),
        ]);
        if include_extra {
            object.extend(self.extra.clone());
        }
        object
    }
}

/// Anything in which a requirement may stand.
///
/// ```
/// use portolan_sdk::AuthApiError;
/// use portolan_sdk::gare::to_gare;
/// use serde_json::json;
///
/// let document = json!({"code": "ConsentRequired", "required_scopes": ["a"]});
/// assert_eq!(to_gare(&document), to_gare(&AuthApiError::from_document(403, document.clone())));
/// ```
pub trait ErrorDocument {
    /// The first requirement in it.
    fn first_gare(&self) -> Option<Gare>;

    /// All requirements in it.
    fn all_gares(&self) -> Vec<Gare> {
        self.first_gare().into_iter().collect()
    }
}

impl ErrorDocument for Value {
    fn first_gare(&self) -> Option<Gare> {
        from_value(self)
    }
}

impl ErrorDocument for ErrorSubdocument {
    fn first_gare(&self) -> Option<Gare> {
        from_object(self.raw())
    }
}

impl ErrorDocument for AuthApiError {
    /// The whole document is read first, then each of its errors.
    fn first_gare(&self) -> Option<Gare> {
        let whole = self.raw_json().and_then(from_value);
        whole.or_else(|| self.errors().iter().find_map(ErrorSubdocument::first_gare))
    }

    fn all_gares(&self) -> Vec<Gare> {
        let mut gares: Vec<Gare> = self.errors().iter().filter_map(ErrorSubdocument::first_gare).collect();
        // Without a list the only error is the document itself.
        let listed = self.raw_json().filter(|document| document.get("errors").is_some());
        gares.extend(listed.and_then(from_value));
        gares
    }
}

impl<T: ErrorDocument + ?Sized> ErrorDocument for &T {
    fn first_gare(&self) -> Option<Gare> {
        (**self).first_gare()
    }

    fn all_gares(&self) -> Vec<Gare> {
        (**self).all_gares()
    }
}

/// The first requirement in an error, a part of one, or a document.
///
/// ```
/// use portolan_sdk::gare::to_gare;
/// use serde_json::json;
///
/// assert!(to_gare(&json!({"error": "invalid_grant"})).is_none());
/// ```
pub fn to_gare(error: impl ErrorDocument) -> Option<Gare> {
    error.first_gare()
}

/// All requirements in all of these.
///
/// ```
/// use portolan_sdk::gare::to_gares;
/// use serde_json::json;
///
/// let documents = [json!({"code": "ConsentRequired", "required_scope": "a"}), json!({"code": "NotFound"})];
/// assert_eq!(to_gares(&documents).len(), 1);
/// ```
pub fn to_gares(errors: impl IntoIterator<Item = impl ErrorDocument>) -> Vec<Gare> {
    errors.into_iter().flat_map(|error| error.all_gares()).collect()
}

/// Whether there is a requirement in it.
///
/// ```
/// use portolan_sdk::gare::is_gare;
/// use serde_json::json;
///
/// assert!(is_gare(&json!({"authorization_parameters": {}})));
/// assert!(!is_gare(&json!({})));
/// ```
pub fn is_gare(error: impl ErrorDocument) -> bool {
    to_gare(error).is_some()
}

/// Whether there is a requirement in any of these.
///
/// ```
/// use portolan_sdk::gare::has_gares;
/// use serde_json::json;
///
/// assert!(has_gares([&json!({}), &json!({"authorization_parameters": {}})]));
/// ```
pub fn has_gares(errors: impl IntoIterator<Item = impl ErrorDocument>) -> bool {
    errors.into_iter().any(is_gare)
}

/// Reads a document in any of the five forms.
///
/// ```
/// use portolan_sdk::gare::from_value;
///
/// assert!(from_value(&serde_json::json!([])).is_none());
/// ```
pub fn from_value(document: &Value) -> Option<Gare> {
    from_object(document.as_object()?)
}

fn from_object(document: &Map<String, Value>) -> Option<Gare> {
    agreed_form(document)
        .or_else(|| parameters_alone(document))
        .or_else(|| consent_of_transfer(document))
        .or_else(|| consent_of_action_providers(document))
        .or_else(|| dependent_consent(document))
}

/// The members of a document that are not these.
fn without(document: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let mut rest = document.clone();
    rest.retain(|name, _| !names.contains(&name.as_str()));
    rest
}

fn agreed_form(document: &Map<String, Value>) -> Option<Gare> {
    let parameters = document.get("authorization_parameters")?.as_object()?;
    Some(Gare {
        code: document.get("code")?.as_str()?.to_owned(),
        authorization_parameters: AuthorizationParameters::from_object(parameters)?,
        extra: without(document, &["code", "authorization_parameters"]),
    })
}

/// What older services send: the code may be missing, and lists are joined by commas.
fn parameters_alone(document: &Map<String, Value>) -> Option<Gare> {
    let parameters = document.get("authorization_parameters")?.as_object()?;
    let parameters = AuthorizationParameters::read(parameters, true)?;
    if parameters.prompt.as_deref().is_some_and(|prompt| prompt != "login") {
        return None;
    }
    let code = match document.get("code") {
        None | Some(Value::Null) => "AuthorizationRequired",
        Some(Value::String(code)) if code.is_empty() => "AuthorizationRequired",
        Some(code) => code.as_str()?,
    };
    Some(Gare {
        code: code.to_owned(),
        authorization_parameters: parameters,
        extra: without(document, &["code", "authorization_parameters"]),
    })
}

fn consent_required(document: &Map<String, Value>, scopes: Vec<String>, message: &str, names: &[&str]) -> Option<Gare> {
    if document.get("code")?.as_str()? != "ConsentRequired" {
        return None;
    }
    let session_message = match document.get(message) {
        None | Some(Value::Null) => None,
        Some(text) => Some(text.as_str()?.to_owned()),
    };
    Some(Gare {
        code: "ConsentRequired".to_owned(),
        authorization_parameters: AuthorizationParameters {
            session_message,
            required_scopes: Some(scopes),
            ..AuthorizationParameters::default()
        },
        extra: without(document, names),
    })
}

fn consent_of_transfer(document: &Map<String, Value>) -> Option<Gare> {
    let scopes = text_list(document.get("required_scopes")?)?;
    consent_required(document, scopes, "message", &["code", "required_scopes"])
}

fn consent_of_action_providers(document: &Map<String, Value>) -> Option<Gare> {
    let scope = document.get("required_scope")?.as_str()?.to_owned();
    let names = ["code", "required_scope", "authorization_parameters"];
    let mut gare = consent_required(document, vec![scope], "description", &names)?;
    if let Some(Value::Object(extra)) = document.get("authorization_parameters") {
        gare.authorization_parameters.extra = extra.clone();
    }
    Some(gare)
}

/// What the token endpoint says when a dependent token lacks a consent (wire.md 3.6.3).
fn dependent_consent(document: &Map<String, Value>) -> Option<Gare> {
    if document.get("error")?.as_str()? != "dependent_consent_required" {
        return None;
    }
    let first = document.get("errors")?.as_array()?.first()?;
    Some(Gare {
        code: "ConsentRequired".to_owned(),
        authorization_parameters: AuthorizationParameters {
            required_scopes: Some(text_list(first.get("unapproved_scopes")?)?),
            ..AuthorizationParameters::default()
        },
        extra: Map::new(),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(list: &[&str]) -> Option<Vec<String>> {
        Some(list.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn the_agreed_form_is_read_strictly() {
        let document = json!({
            "code": "Custom",
            "authorization_parameters": {
                "session_message": "m", "session_required_identities": ["i"], "session_required_policies": ["p"],
                "session_required_single_domain": ["d"], "session_required_mfa": false, "required_scopes": ["s"],
                "prompt": "login", "more": 1
            },
            "other": 2
        });
        let gare = from_value(&document).unwrap();
        assert_eq!(gare.code, "Custom");
        assert_eq!(gare.authorization_parameters.required_scopes, texts(&["s"]));
        assert_eq!(Value::Object(gare.to_object(true)), document);
        assert_eq!(gare.extra, *json!({"other": 2}).as_object().unwrap());
        assert!(gare.to_object(false).get("other").is_none());
    }

    #[test]
    fn parameters_without_a_code_may_join_their_lists() {
        let gare = from_value(&json!({"authorization_parameters": {
            "session_required_policies": "p,q", "session_required_single_domain": "a.org"
        }}))
        .unwrap();
        assert_eq!(gare.code, "AuthorizationRequired");
        assert_eq!(
            gare.authorization_parameters.session_required_policies,
            texts(&["p", "q"])
        );
        assert_eq!(
            gare.authorization_parameters.session_required_single_domain,
            texts(&["a.org"])
        );
        for broken in [
            json!({"authorization_parameters": {"session_required_identities": "a,b"}}),
            json!({"authorization_parameters": {"prompt": "none"}}),
            json!({"authorization_parameters": {"session_message": 1}}),
            json!({"authorization_parameters": [], "code": "x"}),
            json!({"code": 7, "authorization_parameters": {}}),
        ] {
            assert_eq!(from_value(&broken), None, "{broken}");
        }
    }

    #[test]
    fn consents_are_asked_for_in_three_forms() {
        let transfer = json!({"code": "ConsentRequired", "required_scopes": ["a", "b"], "message": "m"});
        let gare = from_value(&transfer).unwrap();
        assert_eq!(gare.authorization_parameters.required_scopes, texts(&["a", "b"]));
        assert_eq!(gare.authorization_parameters.session_message.as_deref(), Some("m"));

        let provider = json!({"code": "ConsentRequired", "required_scope": "a", "description": "d",
            "authorization_parameters": {"session_required_mfa": 3}});
        let gare = from_value(&provider).unwrap();
        assert_eq!(gare.authorization_parameters.required_scopes, texts(&["a"]));
        assert_eq!(gare.authorization_parameters.session_message.as_deref(), Some("d"));
        assert_eq!(gare.authorization_parameters.extra["session_required_mfa"], 3);

        let auth = json!({"error": "dependent_consent_required", "errors": [
            {"code": "DEPENDENT_CONSENT_REQUIRED", "unapproved_scopes": ["a"]}, {"unapproved_scopes": ["b"]}]});
        let gare = from_value(&auth).unwrap();
        assert_eq!(gare.code, "ConsentRequired");
        assert_eq!(gare.authorization_parameters.required_scopes, texts(&["a"]));

        for broken in [
            json!({"code": "Other", "required_scopes": ["a"]}),
            json!({"code": "ConsentRequired", "required_scopes": "a"}),
            json!({"code": "ConsentRequired", "required_scopes": ["a"], "message": 1}),
            json!({"error": "dependent_consent_required", "errors": [{}]}),
            json!({"error": "dependent_consent_required"}),
        ] {
            assert_eq!(from_value(&broken), None, "{broken}");
        }
    }

    #[test]
    fn an_api_error_is_read_as_a_whole_and_then_in_its_parts() {
        let part = json!({"code": "ConsentRequired", "required_scopes": ["a"]});
        let error = AuthApiError::from_document(403, json!({"errors": [{"code": "Other"}, part]}));
        assert_eq!(to_gare(&error).unwrap().code, "ConsentRequired");
        assert_eq!(to_gares([&error]).len(), 1);
        assert!(is_gare(&error) && has_gares([&error]));
        assert!(is_gare(&error.errors()[1]) && !is_gare(&error.errors()[0]));

        let both = json!({"errors": [part], "code": "X", "authorization_parameters": {}});
        let error = AuthApiError::from_document(403, both);
        assert_eq!(to_gare(&error).unwrap().code, "X");
        assert_eq!(to_gares([&error]).len(), 2);
    }
}
