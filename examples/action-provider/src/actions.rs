//! The actions, in memory. What an action does is one line: it waits.

use std::collections::{BTreeSet, HashMap};

use portolan_sdk::{Clock as _, Random as _, SystemClock, SystemRandom, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::answers::Failure;
use crate::principals::Principals;

const MOST_ACTIONS: usize = 10_000;
const LONGEST_WAIT: u32 = 24 * 3600;

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
    deadline: Option<String>,
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
        let mut begun = self.0.values();
        let known =
            begun.find(|action| action.creator == caller.effective && action.request.request_id == request.request_id);
        if let Some(known) = known {
            if known.request != request {
                return Err(Failure::conflict("request_id: it was used for another request"));
            }
            return Ok(known.status());
        }
        if self.0.len() >= MOST_ACTIONS {
            return Err(Failure::unavailable());
        }
        let action = Action {
            id: random_id(),
            creator: caller.effective.clone(),
            request,
            begun: SystemClock.now(),
            cancelled: None,
        };
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
    /// When it was over, and whether it came to its own end.
    fn ended(&self) -> Option<(Timestamp, bool)> {
        let seconds = i64::from(self.request.body.seconds);
        let due = Timestamp::from_micros(self.begun.micros() + seconds * 1_000_000);
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
            (
                "release_after".to_owned(),
                json!(self.request.release_after.as_deref().unwrap_or("P30D")),
            ),
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
