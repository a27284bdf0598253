//! Pages of the developer portal about authentication policies. A module inside of `pages`,
//! so that their templates see what all pages share.

use askama::Template;

use super::developers::Trail;
use super::{FormErrors, Href, Layout, Moment};

/// The policies of a project.
#[derive(Template)]
#[template(path = "pages/policies.html")]
pub struct PoliciesPage {
    pub layout: Layout,
    pub trail: Trail,
    /// The name of the project.
    pub project: String,
    pub policies: Vec<PolicyRow>,
    pub notice: Option<PoliciesNotice>,
    pub new_policy: Href,
}

/// What has just been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoliciesNotice {
    Made,
    Changed,
    Deleted,
}

#[derive(Clone, Debug)]
pub struct PolicyRow {
    pub id: String,
    pub name: String,
    pub description: String,
    pub demands: Demands,
    pub try_out: Href,
    pub change: Href,
    pub delete: Href,
}

/// What a policy asks of a person.
#[derive(Clone, Debug, Default)]
pub struct Demands {
    pub high_assurance: bool,
    pub timeout: Option<TimeSpan>,
    pub two_factors: bool,
    /// No domain: any will do.
    pub include: Vec<String>,
    pub exclude: Vec<String>,
}

/// A time in the largest unit that it is a whole number of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpan {
    pub count: i64,
    pub unit: TimeUnit,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeUnit {
    Seconds,
    #[default]
    Minutes,
    Hours,
    Days,
}

impl TimeUnit {
    pub const ALL: [TimeUnit; 4] = [TimeUnit::Minutes, TimeUnit::Hours, TimeUnit::Days, TimeUnit::Seconds];

    /// What the form posts.
    pub fn word(self) -> &'static str {
        match self {
            TimeUnit::Seconds => "seconds",
            TimeUnit::Minutes => "minutes",
            TimeUnit::Hours => "hours",
            TimeUnit::Days => "days",
        }
    }

    fn name(self, layout: &Layout) -> &str {
        match self {
            TimeUnit::Seconds => layout.text("policies-unit-seconds"),
            TimeUnit::Minutes => layout.text("policies-unit-minutes"),
            TimeUnit::Hours => layout.text("policies-unit-hours"),
            TimeUnit::Days => layout.text("policies-unit-days"),
        }
    }

    pub fn seconds(self) -> i64 {
        match self {
            TimeUnit::Seconds => 1,
            TimeUnit::Minutes => 60,
            TimeUnit::Hours => 3600,
            TimeUnit::Days => 86_400,
        }
    }
}

impl TimeSpan {
    pub fn new(seconds: i64) -> Self {
        let units = [TimeUnit::Days, TimeUnit::Hours, TimeUnit::Minutes];
        let unit = units
            .into_iter()
            .find(|unit| seconds % unit.seconds() == 0)
            .unwrap_or(TimeUnit::Seconds);
        Self {
            count: seconds / unit.seconds(),
            unit,
        }
    }

    /// "30 minutes"
    fn words(&self, layout: &Layout) -> String {
        let id = match self.unit {
            TimeUnit::Seconds => "policies-time-seconds",
            TimeUnit::Minutes => "policies-time-minutes",
            TimeUnit::Hours => "policies-time-hours",
            TimeUnit::Days => "policies-time-days",
        };
        layout.say(id).count("count", self.count).to_string()
    }
}

/// Makes a policy or changes one. Posts `name`, `description`, `high_assurance`, `timeout`,
/// `timeout_unit`, `two_factors`, `include`, `exclude`, and `project` if there is a choice.
#[derive(Template)]
#[template(path = "pages/policy.html")]
pub struct PolicyPage {
    pub layout: Layout,
    pub trail: Trail,
    pub action: Href,
    pub form_token: String,
    /// None while it is new.
    pub existing: Option<ExistingPolicy>,
    pub fields: PolicyFields,
    /// Where an existing one can move: other projects of the person, and this one.
    pub projects: Vec<ProjectChoice>,
    /// The list of policies.
    pub list: Href,
    pub errors: FormErrors,
}

#[derive(Clone, Debug)]
pub struct ExistingPolicy {
    pub name: String,
    pub id: String,
    pub try_out: Href,
    pub delete: Href,
}

#[derive(Clone, Debug)]
pub struct ProjectChoice {
    pub id: String,
    pub name: String,
    pub chosen: bool,
}

/// What was typed.
#[derive(Clone, Debug, Default)]
pub struct PolicyFields {
    pub name: String,
    pub description: String,
    pub high_assurance: bool,
    pub timeout: String,
    pub timeout_unit: TimeUnit,
    pub two_factors: bool,
    /// One in each line.
    pub include: String,
    pub exclude: String,
}

/// Asks before a policy is deleted.
#[derive(Template)]
#[template(path = "pages/policy_delete.html")]
pub struct PolicyDeletionPage {
    pub layout: Layout,
    pub trail: Trail,
    pub action: Href,
    pub form_token: String,
    pub name: String,
    pub id: String,
    pub keep: Href,
    pub errors: FormErrors,
}

/// Who would pass. Asks with `who`: a username, or nothing for whoever looks.
#[derive(Template)]
#[template(path = "pages/policy_trial.html")]
pub struct PolicyTrialPage {
    pub layout: Layout,
    pub trail: Trail,
    pub action: Href,
    pub name: String,
    pub id: String,
    pub demands: Demands,
    /// What was typed.
    pub who: String,
    pub trial: Trial,
    /// The list of policies.
    pub list: Href,
}

impl PolicyTrialPage {
    /// Whether somebody with the username that was typed can satisfy the policy with it.
    fn may_pass(&self) -> bool {
        match &self.trial {
            Trial::Myself { passes, .. } => *passes,
            Trial::Somebody(account) => matches!(account.domain, TriedDomain::Any | TriedDomain::Included),
        }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Trial {
    /// Whoever looks, with all linked accounts and what was signed in in this browser.
    Myself { passes: bool, accounts: Vec<TriedAccount> },
    /// Somebody of whom no more is known than a username.
    Somebody(TriedAccount),
}

/// One account, requirement by requirement. What the policy does not ask for is not there.
#[derive(Clone, Debug)]
pub struct TriedAccount {
    pub username: String,
    pub domain: TriedDomain,
    pub login: Option<TriedLogin>,
    pub passes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriedDomain {
    /// Any domain counts.
    Any,
    Included,
    NotIncluded,
    Excluded,
}

#[derive(Clone, Debug)]
pub struct TriedLogin {
    pub at: Option<Moment>,
    /// The provider did not say when it was.
    pub undated: bool,
    pub in_time: Option<bool>,
    pub two_factors: Option<bool>,
}
