//! Policies as the admins of a project make and change them (wire.md 1.13, 2.6.3).

use portolan_db::{ReadTx, WriteTx};
use portolan_types::PolicyId;
use portolan_types::api::{Change, PolicyChanges};

use crate::app::{Ctx, new_uuid};
use crate::domain::identity::check_text;
use crate::domain::project::{Manager, changed, required};
use crate::error::{Error, Result};
use crate::store::audit::{self, Event};
use crate::store::policies::{self, Policy};
use crate::store::projects;

/// The longest time that an authentication can count for: a year.
const MAXIMUM_TIMEOUT: i64 = 366 * 86_400;
const MAXIMUM_DOMAINS: usize = 200;

pub fn create(tx: &mut WriteTx, ctx: &Ctx, manager: &Manager, changes: &PolicyChanges) -> Result<Policy> {
    let project_id = *required("project_id", &changes.project_id)?;
    required("display_name", &changes.display_name)?;
    required("description", &changes.description)?;
    let project = projects::find(tx, project_id)?
        .ok_or_else(|| Error::invalid_parameters("project_id: there is no such project"))?;
    manager.authorize_project(tx, ctx.now, &project)?;
    let mut policy = Policy {
        id: PolicyId(new_uuid()),
        project_id,
        display_name: String::new(),
        description: String::new(),
        high_assurance: changes.high_assurance.value().copied().unwrap_or(false),
        authentication_assurance_timeout: None,
        required_mfa: false,
        domain_constraints_include: None,
        domain_constraints_exclude: None,
        unlisted: false,
        only_identities: None,
    };
    apply(&mut policy, changes)?;
    policies::insert(tx, &policy, ctx.now)?;
    record(tx, ctx, manager, "policy.create", &policy)?;
    Ok(policy)
}

/// Changes what is named. With `project_id` the policy moves; both projects have to agree.
pub fn update(tx: &mut WriteTx, ctx: &Ctx, manager: &Manager, id: PolicyId, changes: &PolicyChanges) -> Result<Policy> {
    let mut policy = get_authorized(tx, ctx, manager, id)?;
    if let Some(high_assurance) = changed("high_assurance", &changes.high_assurance)?
        && *high_assurance != policy.high_assurance
    {
        return Err(Error::invalid_parameters(
            "high_assurance: never changes; make another policy",
        ));
    }
    if let Some(project_id) = changed("project_id", &changes.project_id)?
        && *project_id != policy.project_id
    {
        let project = projects::find(tx, *project_id)?
            .ok_or_else(|| Error::invalid_parameters("project_id: there is no such project"))?;
        manager.authorize_project(tx, ctx.now, &project)?;
        policy.project_id = *project_id;
    }
    apply(&mut policy, changes)?;
    policies::update(tx, &policy)?;
    record(tx, ctx, manager, "policy.update", &policy)?;
    Ok(policy)
}

pub fn delete(tx: &mut WriteTx, ctx: &Ctx, manager: &Manager, id: PolicyId) -> Result<Policy> {
    let policy = get_authorized(tx, ctx, manager, id)?;
    policies::delete(tx, id)?;
    record(tx, ctx, manager, "policy.delete", &policy)?;
    Ok(policy)
}

fn get_authorized(tx: &mut ReadTx, ctx: &Ctx, manager: &Manager, id: PolicyId) -> Result<Policy> {
    let policy = policies::get(tx, id)?;
    let project = projects::get(tx, policy.project_id)?;
    manager.authorize_project(tx, ctx.now, &project)?;
    Ok(policy)
}

/// Writes the members that both calls may set, each checked.
fn apply(policy: &mut Policy, changes: &PolicyChanges) -> Result<()> {
    if let Some(name) = changed("display_name", &changes.display_name)? {
        check_text("display_name", name)?;
        policy.display_name = name.trim().to_owned();
    }
    if let Some(description) = changed("description", &changes.description)? {
        check_description(description)?;
        policy.description = description.trim().to_owned();
    }
    let timeout = &changes.authentication_assurance_timeout;
    if timeout
        .value()
        .is_some_and(|seconds| !(1..=MAXIMUM_TIMEOUT).contains(seconds))
    {
        return Err(Error::invalid_parameters(format!(
            "authentication_assurance_timeout: must be 1 to {MAXIMUM_TIMEOUT} seconds, or null"
        )));
    }
    policy.authentication_assurance_timeout = timeout.apply(policy.authentication_assurance_timeout);
    if let Some(required_mfa) = changed("required_mfa", &changes.required_mfa)? {
        policy.required_mfa = *required_mfa;
    }
    if policy.required_mfa && !policy.high_assurance {
        return Err(Error::invalid_parameters(
            "required_mfa: only a policy with high_assurance can require it",
        ));
    }
    let include = domains("domain_constraints_include", &changes.domain_constraints_include)?;
    policy.domain_constraints_include = include.apply(policy.domain_constraints_include.take());
    let exclude = domains("domain_constraints_exclude", &changes.domain_constraints_exclude)?;
    policy.domain_constraints_exclude = exclude.apply(policy.domain_constraints_exclude.take());
    Ok(())
}

/// A text that pages show: up to 4,000 characters, on several lines if it must be.
pub fn check_description(text: &str) -> Result<()> {
    let length = text.trim().chars().count();
    let odd = text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    if length == 0 || length > 4000 || odd {
        return Err(Error::invalid_parameters("description: must have 1 to 4000 characters"));
    }
    Ok(())
}

fn domains(field: &'static str, change: &Change<Vec<String>>) -> Result<Change<Vec<String>>> {
    Ok(match change {
        Change::Keep => Change::Keep,
        Change::Clear => Change::Clear,
        Change::Set(domains) => Change::Set(check_domains(field, domains)?),
    })
}

/// Domains in lower case, each once: `example.org`, or `*.example.org` for all below it.
pub fn check_domains(field: &'static str, domains: &[String]) -> Result<Vec<String>> {
    if domains.len() > MAXIMUM_DOMAINS {
        return Err(Error::invalid_parameters(format!("{field}: at most {MAXIMUM_DOMAINS}")));
    }
    let mut checked: Vec<String> = Vec::new();
    for domain in domains {
        let domain = domain.trim().to_lowercase();
        if !is_domain(domain.strip_prefix("*.").unwrap_or(&domain)) {
            return Err(Error::invalid_parameters(format!(
                "{field}: {domain:?} is no domain such as example.org or *.example.org"
            )));
        }
        if !checked.contains(&domain) {
            checked.push(domain);
        }
    }
    Ok(checked)
}

/// Labels of letters, digits and inner dashes, separated by dots (RFC 1123 section 2.1);
/// letters of any script, since identity providers assert such domains.
pub fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

fn record(tx: &mut WriteTx, ctx: &Ctx, manager: &Manager, action: &'static str, policy: &Policy) -> Result<()> {
    let event = Event {
        action,
        actor: manager.actor,
        resource_kind: "policy",
        resource_id: policy.id.to_string(),
        detail: serde_json::json!({ "project": policy.project_id, "display_name": policy.display_name }),
    };
    audit::insert(tx, ctx, &event)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn domains_are_lower_case_and_may_begin_with_a_wildcard() {
        let given = ["Example.EDU", "*.lab.example.org", "example.edu", "münchen.example"].map(str::to_owned);
        assert_eq!(
            check_domains("f", &given).unwrap(),
            ["example.edu", "*.lab.example.org", "münchen.example"]
        );
        for bad in [
            "",
            "*",
            "*.",
            "a..b",
            "-a.org",
            "a b.org",
            "a.*.org",
            "a@b.org",
            "https://a.org",
        ] {
            let error = check_domains("required_domains", &[bad.to_owned()]).unwrap_err();
            assert!(error.detail().starts_with("required_domains: "), "{bad}");
        }
    }

    #[test]
    fn a_domain_has_labels_of_63_bytes_and_253_in_all() {
        let label = |length: usize| "a".repeat(length);
        let name = |last: usize| format!("{0}.{0}.{0}.{1}", label(63), label(last));
        for (text, fits) in [
            (label(1), true),
            (label(63), true),
            (label(64), false),
            (name(61), true),
            (name(62), false),
            ("a-b.c1".into(), true),
            ("a-.b".into(), false),
            ("-a.b".into(), false),
            ("a_b.c".into(), false),
            ("a.".into(), false),
        ] {
            assert_eq!(is_domain(&text), fits, "{text}");
        }
    }

    #[test]
    fn lists_and_descriptions_have_an_end() {
        let domains = |count: usize| (0..count).map(|n| format!("d{n}.org")).collect::<Vec<_>>();
        assert_eq!(check_domains("f", &domains(200)).unwrap().len(), 200);
        assert!(check_domains("f", &domains(201)).is_err());
        for (text, fits) in [
            (String::new(), false),
            (" \n ".into(), false),
            ("é".repeat(4000), true),
            ("é".repeat(4001), false),
            ("two\r\n\tlines".into(), true),
            ("a bell \u{7}".into(), false),
        ] {
            assert_eq!(check_description(&text).is_ok(), fits, "{text:?}");
        }
        assert_eq!(MAXIMUM_TIMEOUT, 31_622_400, "366 days");
    }
}
