//! The pages of the developer area. A module inside of `pages`, so that their templates see
//! what all pages share.

use askama::Template;
use portolan_types::api::ClientType;

use crate::store::clients::Client;

use super::{FormErrors, Href, Layout, Link, Moment};

/// Where a page is: what lies above it, the first page of the area first.
#[derive(Clone, Debug)]
pub struct Trail {
    pub above: Vec<Link>,
}

/// The projects that a person administers.
#[derive(Template)]
#[template(path = "pages/developers.html")]
pub struct ProjectsPage {
    pub layout: Layout,
    pub projects: Vec<ProjectRow>,
    pub notice: Option<ProjectsNotice>,
}

#[derive(Clone, Debug)]
pub struct ProjectRow {
    pub name: String,
    pub contact_email: String,
    pub apps: i64,
    pub href: Href,
}

/// What has just been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectsNotice {
    Deleted,
    /// The person is no longer among the admins of a project.
    Left,
}

/// Makes a project or changes one. Posts `display_name`, `contact_email` and, if there is a
/// choice, `ids` once for each of the person's accounts that is to administer it.
#[derive(Template)]
#[template(path = "pages/project_form.html")]
pub struct ProjectFormPage {
    pub layout: Layout,
    pub trail: Trail,
    pub action: Href,
    pub form_token: String,
    /// Whether it is there already.
    pub exists: bool,
    pub display_name: String,
    pub contact_email: String,
    /// The person's accounts, if there is a choice.
    pub accounts: Vec<AccountChoice>,
    pub cancel: Href,
    pub errors: FormErrors,
}

#[derive(Clone, Debug)]
pub struct AccountChoice {
    pub id: String,
    pub username: String,
    pub chosen: bool,
}

#[derive(Template)]
#[template(path = "pages/project.html")]
pub struct ProjectPage {
    pub layout: Layout,
    pub trail: Trail,
    pub id: String,
    pub name: String,
    pub contact_email: String,
    pub created: Moment,
    /// That of the services which the server itself knows; its admins are those of the server.
    pub is_built_in: bool,
    pub admins: Vec<AdminRow>,
    /// Ids of groups, which are stored only.
    pub groups: Vec<String>,
    pub apps: AppList,
    pub policies: i64,
    pub notice: Option<ProjectNotice>,
}

impl ProjectPage {
    fn path(&self, more: &str) -> String {
        format!("/p/developers/projects/{}{more}", self.id)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectNotice {
    Created,
    Changed,
    AdminAdded,
    AdminRemoved,
    AppDeleted,
}

#[derive(Clone, Debug)]
pub struct AdminRow {
    pub username: String,
    pub name: Option<String>,
    /// One of the person's own.
    pub is_self: bool,
    /// A client that acts as itself.
    pub is_client: bool,
    pub is_live: bool,
    pub remove: Option<Href>,
}

/// The apps of a project, or those that a search has found.
#[derive(Clone, Debug)]
pub struct AppList {
    pub rows: Vec<AppRow>,
    pub total: usize,
    /// What is searched for, if there are many.
    pub search: Option<String>,
    /// More were found than are shown.
    pub more: bool,
}

#[derive(Clone, Debug)]
pub struct AppRow {
    pub id: String,
    pub name: String,
    pub kind: AppKind,
    pub href: Href,
}

/// Adds an admin to a project. Posts `who`.
#[derive(Template)]
#[template(path = "pages/project_admin_new.html")]
pub struct NewAdminPage {
    pub layout: Layout,
    pub trail: Trail,
    pub action: Href,
    pub form_token: String,
    pub project: String,
    pub who: String,
    /// Usernames of the person's own accounts that could be added.
    pub mine: Vec<String>,
    pub cancel: Href,
    pub errors: FormErrors,
}

/// Registers an app or changes one. Posts `name`, `client_type` (for a new one),
/// `redirect_uris`, `terms_and_conditions`, `privacy_policy`, `visibility`, `required_idp`,
/// `preselect_idp`, `post_logout_redirect_uris`, `backchannel_logout_uri`,
/// `backchannel_logout_session_required`, and for a new one `prompt_for_named_grant` and
/// `userinfo_from_effective_identity`.
#[derive(Template)]
#[template(path = "pages/app_form.html")]
pub struct AppFormPage {
    pub layout: Layout,
    pub trail: Trail,
    pub action: Href,
    pub form_token: String,
    /// Whether it is there already. Then its type and what goes with it stay.
    pub exists: bool,
    pub kind: Option<AppKind>,
    pub name: String,
    /// One on each line.
    pub redirect_uris: String,
    pub terms_and_conditions: String,
    pub privacy_policy: String,
    pub is_public: bool,
    pub required_idp: String,
    pub preselect_idp: String,
    /// "yes", "no" or nothing.
    pub named_grant: String,
    pub effective_identity: bool,
    pub post_logout_redirect_uris: String,
    pub backchannel_logout_uri: String,
    pub backchannel_logout_session_required: bool,
    pub providers: Vec<ProviderOption>,
    pub cancel: Href,
    pub errors: FormErrors,
}

impl AppFormPage {
    /// Whether more is open than what everybody needs: something there is set or wrong.
    fn shows_more(&self) -> bool {
        const MORE: [&str; 6] = [
            "terms_and_conditions",
            "privacy_policy",
            "required_idp",
            "preselect_idp",
            "post_logout_redirect_uris",
            "backchannel_logout_uri",
        ];
        self.exists || MORE.iter().any(|field| self.errors.on(field).is_some())
    }

    fn is_chosen(&self, kind: &AppKind) -> bool {
        self.kind == Some(*kind)
    }
}

/// An identity provider that a field proposes.
#[derive(Clone, Debug)]
pub struct ProviderOption {
    /// What the field holds when it is chosen.
    pub value: String,
    pub name: String,
}

#[derive(Template)]
#[template(path = "pages/app.html")]
pub struct AppPage {
    pub layout: Layout,
    pub trail: Trail,
    pub id: String,
    pub name: String,
    pub kind: AppKind,
    pub is_enabled: bool,
    pub is_public: bool,
    pub redirect_uris: Vec<String>,
    pub post_logout_redirect_uris: Vec<String>,
    pub backchannel_logout_uri: Option<String>,
    pub terms: Option<Href>,
    pub privacy: Option<Href>,
    /// Names of identity providers.
    pub required_idp: Option<String>,
    pub preselect_idp: Option<String>,
    pub prompt_for_named_grant: bool,
    pub userinfo_from_effective_identity: bool,
    /// The name that tokens know it by, if it is not its id.
    pub resource_server: Option<String>,
    pub created: Moment,
    /// None if it can have none.
    pub secrets: Option<Vec<SecretRow>>,
    /// Username of the identity that it acts as.
    pub own_identity: Option<String>,
    /// Where that identity can be made an admin of the project.
    pub make_admin: Href,
    pub recipes: Vec<Recipe>,
    /// From the audit trail, the newest first.
    pub events: Vec<EventRow>,
    pub notice: Option<AppNotice>,
}

impl AppPage {
    fn path(&self, more: &str) -> String {
        format!("/p/developers/apps/{}{more}", self.id)
    }

    /// Whether people are sent to it with a code.
    fn signs_in(&self) -> bool {
        !matches!(
            self.kind.client_type(),
            ClientType::ClientIdentity | ClientType::ResourceServer
        )
    }

    fn is_service_account(&self) -> bool {
        self.kind.client_type() == ClientType::ClientIdentity
    }

    /// Whether other apps could use it: it has to be able to look at tokens.
    fn may_serve(&self) -> bool {
        self.secrets.is_some() && !self.is_service_account()
    }

    fn needs_secret(&self) -> bool {
        self.secrets.as_ref().is_some_and(Vec::is_empty)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppNotice {
    Created,
    Changed,
    SecretDeleted,
    /// The form of a secret came twice.
    SecretMade,
}

#[derive(Clone, Debug)]
pub struct SecretRow {
    pub id: String,
    pub name: String,
    pub created: Moment,
    pub remove: Href,
}

/// Commands that can be tried.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub tool: Tool,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Curl,
    Python,
    Introspection,
    CommandLine,
}

impl Tool {
    /// Of the element that holds the commands.
    pub(super) fn id(self) -> &'static str {
        match self {
            Tool::Curl => "try-curl",
            Tool::Python => "try-python",
            Tool::Introspection => "try-introspection",
            Tool::CommandLine => "try-command-line",
        }
    }

    pub(super) fn title(self, layout: &Layout) -> &'static str {
        layout.text(match self {
            Tool::Curl => "developers-try-curl",
            Tool::Python => "developers-try-python",
            Tool::Introspection => "developers-try-introspection",
            Tool::CommandLine => "developers-try-command-line",
        })
    }
}

/// An entry of the audit trail in words.
#[derive(Clone, Debug)]
pub struct EventRow {
    pub at: Moment,
    pub what: String,
    pub who: Option<String>,
}

/// Makes a secret. Posts `name`, and `known` as it came.
#[derive(Template)]
#[template(path = "pages/secret_new.html")]
pub struct NewSecretPage {
    pub layout: Layout,
    pub trail: Trail,
    pub action: Href,
    pub form_token: String,
    /// The secrets that there are.
    pub known: String,
    pub name: String,
    pub cancel: Href,
    pub errors: FormErrors,
}

/// Shows a secret, once.
#[derive(Template)]
#[template(path = "pages/secret.html")]
pub struct SecretPage {
    pub layout: Layout,
    pub trail: Trail,
    pub client_id: String,
    pub name: String,
    pub secret: String,
    pub done: Href,
}

/// Asks before something ends, and says what. Posts nothing but the token.
#[derive(Template)]
#[template(path = "pages/developer_removal.html")]
pub struct RemovalPage {
    pub layout: Layout,
    pub trail: Trail,
    pub action: Href,
    pub form_token: String,
    pub removal: Removal,
    /// Leaves everything as it is.
    pub keep: Href,
    pub errors: FormErrors,
}

#[derive(Clone, Debug)]
pub enum Removal {
    Project {
        name: String,
    },
    /// It holds something yet.
    FullProject {
        name: String,
        apps: i64,
        policies: i64,
    },
    Admin {
        username: String,
        project: String,
        /// The person would not administer it any longer.
        ends_for_self: bool,
    },
    /// The project would have nobody left.
    LastAdmin {
        username: String,
        project: String,
    },
    App {
        name: String,
        /// Permissions that people gave it, and how many people.
        consents: i64,
        people: i64,
        /// Scopes that it owns, and permissions of other apps for them.
        scopes: usize,
        of_others: i64,
    },
    Secret {
        name: String,
        app: String,
        is_last: bool,
    },
}

impl Removal {
    fn is_possible(&self) -> bool {
        !matches!(self, Removal::FullProject { .. } | Removal::LastAdmin { .. })
    }

    /// What the button says.
    fn verb(&self, layout: &Layout) -> &'static str {
        match self {
            Removal::Admin { .. } | Removal::LastAdmin { .. } => layout.text("developers-remove-it"),
            _ => layout.text("developers-delete-it"),
        }
    }
}

/// What a client was registered as, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppKind(ClientType);

impl From<ClientType> for AppKind {
    fn from(client_type: ClientType) -> Self {
        AppKind(client_type)
    }
}

impl AppKind {
    /// In the order of the form: what most people need first.
    pub const ALL: [AppKind; 7] = [
        AppKind(ClientType::Confidential),
        AppKind(ClientType::PublicInstalled),
        AppKind(ClientType::PublicWebapp),
        AppKind(ClientType::ClientIdentity),
        AppKind(ClientType::ResourceServer),
        AppKind(ClientType::Hybrid),
        AppKind(ClientType::GlobusConnectServer),
    ];

    /// Stored types are known ones.
    pub fn of(client: &Client) -> Self {
        AppKind(client.client_type.parse().unwrap_or(ClientType::Confidential))
    }

    fn value(self) -> &'static str {
        self.0.as_str()
    }

    pub fn client_type(self) -> ClientType {
        self.0
    }

    pub(super) fn name(self, layout: &Layout) -> &'static str {
        layout.text(match self.0 {
            ClientType::Confidential => "developers-kind-confidential",
            ClientType::PublicInstalled => "developers-kind-installed",
            ClientType::PublicWebapp => "developers-kind-webapp",
            ClientType::ClientIdentity => "developers-kind-service-account",
            ClientType::ResourceServer => "developers-kind-resource-server",
            ClientType::Hybrid => "developers-kind-hybrid",
            ClientType::GlobusConnectServer => "developers-kind-connect-server",
        })
    }

    fn sentence(self, layout: &Layout) -> &'static str {
        layout.text(match self.0 {
            ClientType::Confidential => "developers-about-confidential",
            ClientType::PublicInstalled => "developers-about-installed",
            ClientType::PublicWebapp => "developers-about-webapp",
            ClientType::ClientIdentity => "developers-about-service-account",
            ClientType::ResourceServer => "developers-about-resource-server",
            ClientType::Hybrid => "developers-about-hybrid",
            ClientType::GlobusConnectServer => "developers-about-connect-server",
        })
    }
}
