//! Where a client wants people to return to after a logout, and where it wants to be told.

use portolan_db::{Error as DbError, FromRow, ReadTx, Row, WriteTx, params};
use portolan_types::ClientId;

use crate::error::Result;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientLogout {
    pub post_logout_redirect_uris: Vec<String>,
    pub backchannel_logout_uri: Option<String>,
    /// The client cannot do without `sid`. Every logout token has it.
    pub backchannel_logout_session_required: bool,
}

impl FromRow for ClientLogout {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let uris: String = row.take()?;
        Ok(Self {
            post_logout_redirect_uris: super::json_list(&uris),
            backchannel_logout_uri: row.take()?,
            backchannel_logout_session_required: row.take()?,
        })
    }
}

/// Nothing is registered for most clients.
pub fn find(tx: &mut ReadTx, client_id: ClientId) -> Result<ClientLogout> {
    let found: Option<ClientLogout> = tx.fetch_optional(
        "SELECT post_logout_redirect_uris, backchannel_logout_uri, backchannel_logout_session_required
           FROM client_logout WHERE client_id = $1",
        params![client_id],
    )?;
    Ok(found.unwrap_or_default())
}

pub fn upsert(tx: &mut WriteTx, client_id: ClientId, logout: &ClientLogout) -> Result<()> {
    tx.execute(
        "INSERT INTO client_logout (client_id, post_logout_redirect_uris, backchannel_logout_uri,
                                    backchannel_logout_session_required)
         VALUES ($1, $2, $3, $4)
             ON CONFLICT (client_id)
             DO UPDATE SET post_logout_redirect_uris = $2, backchannel_logout_uri = $3,
                           backchannel_logout_session_required = $4",
        params![
            client_id,
            serde_json::json!(logout.post_logout_redirect_uris).to_string(),
            logout.backchannel_logout_uri.clone(),
            logout.backchannel_logout_session_required
        ],
    )?;
    Ok(())
}
