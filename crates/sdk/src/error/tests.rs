use serde_json::json;

use super::*;

fn read(content_type: &'static str, body: &str) -> AuthApiError {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, reqwest::header::HeaderValue::from_static(content_type))]);
    AuthApiError::new(
        Method::POST,
        "https://auth.example.org/v2/oauth2/token".to_owned(),
        Some("Basic".to_owned()),
        StatusCode::FORBIDDEN,
        headers,
        body.as_bytes().to_vec(),
    )
}

fn summary(document: &Value) -> (Option<String>, Option<String>, Option<String>) {
    let error = AuthApiError::from_document(403, document.clone());
    (
        error.code().map(str::to_owned),
        error.message(),
        error.request_id().map(str::to_owned),
    )
}

/// The table of wire.md 3.6.1.
#[test]
fn documents_give_code_message_and_request_id() {
    let text = |text: &str| Some(text.to_owned());
    for (document, expected) in [
        (json!({"error": "invalid_grant"}), (None, None, None)),
        (
            json!({"errors": [{"id": "1", "code": "UNAUTHORIZED", "title": "t", "detail": "d"}], "error": "x"}),
            (text("UNAUTHORIZED"), text("d"), text("1")),
        ),
        (
            json!({"errors": [{"id": "1", "code": "A", "title": "t"}, {"id": "2", "code": "B", "detail": "d"}]}),
            (None, text("t; d"), None),
        ),
        (
            json!({"code": "ConsentRequired", "message": "m", "request_id": "r", "required_scopes": ["a"]}),
            (text("ConsentRequired"), text("m"), text("r")),
        ),
        (
            json!({"code": "C", "message": "m", "request_id": 7}),
            (text("C"), text("m"), None),
        ),
        (json!({"code": 7, "title": "t"}), (None, text("t"), None)),
        (json!({"errors": []}), (None, None, None)),
        (json!([1]), (None, None, None)),
    ] {
        assert_eq!(summary(&document), expected, "{document}");
    }
}

#[test]
fn json_api_documents_leave_message_aside() {
    let body = r#"{"errors": [{"message": "m", "title": "t"}]}"#;
    assert_eq!(read("application/vnd.api+json", body).message().as_deref(), Some("t"));
    assert_eq!(read("application/json", body).message().as_deref(), Some("m"));
}

#[test]
fn what_is_no_json_has_text_and_nothing_else() {
    let error = read("text/html", "<h1>Bad gateway</h1>");
    assert_eq!(error.raw_json(), None);
    assert_eq!(error.text(), "<h1>Bad gateway</h1>");
    assert_eq!(
        error.to_string(),
        "POST https://auth.example.org/v2/oauth2/token: 403 (with Basic): Forbidden"
    );
    assert_eq!(read("application/json", "{").raw_json(), None);
}

#[test]
fn errors_print_what_one_needs() {
    let body = r#"{"errors": [{"id": "6f1c", "code": "FORBIDDEN", "detail": "no"}]}"#;
    assert_eq!(
        read("application/json; charset=utf-8", body).to_string(),
        "POST https://auth.example.org/v2/oauth2/token: 403 (with Basic) FORBIDDEN: no [request 6f1c]"
    );
}

#[test]
fn members_of_the_wrong_type_are_left_out() {
    let error = AuthApiError::from_document(
        403,
        json!({"authorization_parameters": {
            "session_message": 7,
            "session_required_identities": ["a", 1],
            "session_required_policies": "p,q",
            "session_required_single_domain": ["x.org"],
            "session_required_mfa": "yes",
        }}),
    );
    let expected = ParameterInfo {
        session_required_policies: Some(vec!["p".to_owned(), "q".to_owned()]),
        session_required_single_domain: Some(vec!["x.org".to_owned()]),
        ..ParameterInfo::default()
    };
    assert_eq!(error.info().authorization_parameters, Some(expected));
}
