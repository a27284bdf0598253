//! The actions, in memory. What an action does is one line: it waits.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use portolan_sdk::{Clock as _, Random as _, SystemClock, SystemRandom, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::answers::Failure;
use crate::principals::Principals;

const MOST_ACTIONS: usize = 10_000;
/// Of one creator, so that nobody takes the place of all others.
const MOST_OF_ONE: usize = 1_000;
const LONGEST_WAIT: u32 = 24 * 3600;
/// How long an action that has ended stays if nobody releases it. The interface lets a
/// provider limit what is asked for; here it is the same time for all, and the answers say so.
const KEPT: Duration = Duration::from_secs(24 * 3600);
const RELEASE_AFTER: &str = "P1D";

#[derive(Default)]
pub struct Actions(HashMap<String, Action>);

pub struct Action {
    id: String,
    creator: String,
    request: RunRequest,
    begun: Timestamp,
    /// When it was cancelled.
    cancelled: Option<Timestamp>,
}

/// What a caller sends to run an action.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct RunRequest {
    request_id: String,
    body: Input,
    label: Option<String>,
    /// Who else may look, and who may end it.
    #[serde(default)]
    monitor_by: BTreeSet<String>,
    #[serde(default)]
    manage_by: BTreeSet<String>,
    release_after: Option<String>,
    deadline: Option<Timestamp>,
    #[serde(default)]
    allowed_clients: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Input {
    seconds: u32,
}

/// What `body` must be like, for those who write flows.
pub fn input_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "seconds": { "type": "integer", "minimum": 0, "maximum": LONGEST_WAIT, "description": "How long to wait" },
        },
        "required": ["seconds"],
        "additionalProperties": false,
    })
}

impl RunRequest {
    pub fn read(document: Value) -> Result<Self, Failure> {
        let request: Self = serde_json::from_value(document).map_err(|error| Failure::invalid(error.to_string()))?;
        if request.body.seconds > LONGEST_WAIT {
            return Err(Failure::invalid(format!("body.seconds: at most {LONGEST_WAIT}")));
        }
        if request
            .label
            .as_ref()
            .is_some_and(|label| label.is_empty() || label.chars().count() > 64)
        {
            return Err(Failure::invalid("label: 1 to 64 characters"));
        }
        Ok(request)
    }
}

impl Actions {
    /// A caller who got no answer asks again with the same `request_id`, and must not begin a
    /// second action.
    pub fn run(&mut self, caller: &Principals, request: RunRequest) -> Result<Value, Failure> {
        let now = SystemClock.now();
        self.0
            .retain(|_, action| action.ended().is_none_or(|(end, _)| now < end + KEPT));
        let begun = self.0.values().filter(|action| action.creator == caller.effective);
        let begun: Vec<&Action> = begun.collect();
        let known = begun
            .iter()
            .find(|action| action.request.request_id == request.request_id);
        if let Some(known) = known {
            if known.request != request {
                return Err(Failure::conflict("request_id: it was used for another request"));
            }
            return Ok(known.status());
        }
        if begun.len() >= MOST_OF_ONE {
            return Err(Failure::too_many());
        }
        if self.0.len() >= MOST_ACTIONS {
            return Err(Failure::unavailable());
        }
        let action = Action {
            id: random_id(),
            creator: caller.effective.clone(),
            request,
            begun: now,
            cancelled: None,
        };
        if action.request.deadline.is_some_and(|deadline| deadline < action.due()) {
            return Err(Failure::invalid("deadline: the action would end later"));
        }
        let status = action.status();
        self.0.insert(action.id.clone(), action);
        Ok(status)
    }

    /// An action that the caller may look at.
    pub fn monitored(&mut self, caller: &Principals, id: &str) -> Result<&mut Action, Failure> {
        self.find(caller, id, |request| &request.monitor_by)
    }

    /// An action that the caller may end.
    pub fn managed(&mut self, caller: &Principals, id: &str) -> Result<&mut Action, Failure> {
        self.find(caller, id, |request| &request.manage_by)
    }

    fn find(
        &mut self,
        caller: &Principals,
        id: &str,
        list: fn(&RunRequest) -> &BTreeSet<String>,
    ) -> Result<&mut Action, Failure> {
        let action = self.0.get_mut(id).ok_or_else(Failure::not_found)?;
        let creator = BTreeSet::from([action.creator.clone()]);
        if caller.is_among(&creator) || caller.is_among(list(&action.request)) {
            return Ok(action);
        }
        Err(Failure::not_found())
    }

    pub fn release(&mut self, caller: &Principals, id: &str) -> Result<Value, Failure> {
        let action = self.managed(caller, id)?;
        if action.ended().is_none() {
            return Err(Failure::conflict("the action has not ended; cancel it first"));
        }
        let status = action.status();
        self.0.remove(id);
        Ok(status)
    }
}

impl Action {
    /// When the wait is over.
    fn due(&self) -> Timestamp {
        self.begun + Duration::from_secs(self.request.body.seconds.into())
    }

    /// When it was over, and whether it came to its own end.
    fn ended(&self) -> Option<(Timestamp, bool)> {
        let due = self.due();
        match self.cancelled {
            Some(cancelled) => Some((cancelled, false)),
            None => (due <= SystemClock.now()).then_some((due, true)),
        }
    }

    /// The status document of the interface.
    pub fn status(&self) -> Value {
        let (status, shown, details) = match self.ended() {
            None => ("ACTIVE", "Waiting", json!({ "seconds": self.request.body.seconds })),
            Some((_, true)) => ("SUCCEEDED", "Done", json!({ "waited": self.request.body.seconds })),
            Some((_, false)) => {
                let details = json!({ "code": "Cancelled", "description": "the action was cancelled" });
                ("FAILED", "Cancelled", details)
            }
        };
        let mut document = Map::from_iter([
            ("action_id".to_owned(), json!(self.id)),
            ("status".to_owned(), json!(status)),
            ("display_status".to_owned(), json!(shown)),
            ("details".to_owned(), details),
            ("creator_id".to_owned(), json!(self.creator)),
            ("monitor_by".to_owned(), json!(self.request.monitor_by)),
            ("manage_by".to_owned(), json!(self.request.manage_by)),
            ("start_time".to_owned(), json!(self.begun.to_string())),
            ("release_after".to_owned(), json!(RELEASE_AFTER)),
        ]);
        if let Some(label) = &self.request.label {
            document.insert("label".to_owned(), json!(label));
        }
        if let Some((end, _)) = self.ended() {
            document.insert("completion_time".to_owned(), json!(end.to_string()));
        }
        Value::Object(document)
    }

    pub fn log(&self) -> Value {
        let entry = |time: Timestamp, code: &str, description: &str| {
            let time = time.to_string();
            json!({ "time": time, "code": code, "description": description, "details": {} })
        };
        let mut entries = vec![entry(self.begun, "STARTED", "the wait began")];
        match self.ended() {
            Some((end, true)) => entries.push(entry(end, "COMPLETED", "the wait is over")),
            Some((end, false)) => entries.push(entry(end, "FAILED", "the wait was cancelled")),
            None => {}
        }
        json!({ "limit": 10, "has_next_page": false, "entries": entries })
    }

    /// What has ended stays as it ended.
    pub fn cancel(&mut self) -> Value {
        if self.ended().is_none() {
            self.cancelled = Some(SystemClock.now());
        }
        self.status()
    }
}

fn random_id() -> String {
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn request(id: &str, seconds: u32) -> RunRequest {
        RunRequest::read(json!({ "request_id": id, "body": { "seconds": seconds } })).unwrap()
    }

    #[test]
    fn an_action_that_has_ended_goes_after_a_day() {
        let alice = Principals::named("alice");
        let mut actions = Actions::default();
        actions.run(&alice, request("short", 0)).unwrap();
        actions.run(&alice, request("long", LONGEST_WAIT)).unwrap();
        for action in actions.0.values_mut() {
            action.begun = action.begun - KEPT;
        }

        actions.run(&alice, request("new", 0)).unwrap();

        let left = actions.0.values().map(|action| action.request.request_id.as_str());
        assert_eq!(left.collect::<BTreeSet<_>>(), BTreeSet::from(["long", "new"]));
    }

    #[test]
    fn nobody_takes_the_place_of_all_others() {
        let (alice, bob) = (Principals::named("alice"), Principals::named("bob"));
        let mut actions = Actions::default();
        for number in 0..MOST_OF_ONE {
            actions.run(&alice, request(&number.to_string(), 0)).unwrap();
        }
        let known = actions.run(&alice, request("0", 0)).unwrap();

        assert!(actions.run(&alice, request("more", 0)).is_err());
        assert!(actions.run(&bob, request("more", 0)).is_ok());
        actions.release(&alice, known["action_id"].as_str().unwrap()).unwrap();
        assert!(actions.run(&alice, request("more", 0)).is_ok());
    }

    #[test]
    fn what_cannot_be_done_by_its_deadline_is_refused() {
        let alice = Principals::named("alice");
        let mut actions = Actions::default();
        let deadline = Some(SystemClock.now() + Duration::from_secs(600));
        let short = RunRequest {
            deadline,
            ..request("short", 60)
        };
        let long = RunRequest {
            deadline,
            ..request("long", 3600)
        };

        assert!(actions.run(&alice, short).is_ok());
        assert!(actions.run(&alice, long).is_err());
    }
}
