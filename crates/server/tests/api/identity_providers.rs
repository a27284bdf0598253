//! `GET /v2/api/identity_providers`

use http::Method;
use serde_json::{Value, json};

use crate::support::{Auth, each_engine};

const PATH: &str = "/v2/api/identity_providers";
const GLOBUS_ID: &str = "41143743-f3c8-4d60-bbdb-eeecaba85bd9";

#[test]
fn providers_are_found_by_domain_and_by_id() {
    each_engine(|server| {
        let client = server.client().create();
        let get = |query: &str| server.call(&client.auth(), Method::GET, &format!("{PATH}?{query}"), Value::Null);
        let globus_id = json!({
            "id": GLOBUS_ID, "name": "Globus ID", "short_name": "globusid",
            "domains": ["globusid.org"], "alternative_names": []
        });

        for query in [
            format!("ids={GLOBUS_ID}"),
            format!("ids={},5e0c3f0a-7a3b-4c37-9d0f-0b8f1c2d3e4f", GLOBUS_ID.to_uppercase()),
            "domains=GlobusID.org,nowhere.example.org".into(),
        ] {
            assert_eq!(
                get(&query).ok().json(),
                json!({ "identity_providers": [globus_id] }),
                "{query}"
            );
        }
        let several = get("domains=globusid.org,portolan.local,clients.auth.globus.org")
            .ok()
            .json();
        let names: Vec<&Value> = several["identity_providers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["short_name"])
            .collect();
        assert_eq!(names, ["clients", "globusid", "local"]);
        for query in ["", "ids=x", &format!("ids={GLOBUS_ID}&domains=globusid.org")] {
            assert_eq!(get(query).refusal(), "400 INVALID_PARAMETERS", "{query}");
        }
        assert_eq!(
            server
                .call(
                    &Auth::None,
                    Method::GET,
                    &format!("{PATH}?ids={GLOBUS_ID}"),
                    Value::Null
                )
                .refusal(),
            "401 UNAUTHORIZED"
        );
    });
}
