//! The same statement for many at once: its parameters as arrays.

use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::Value;

/// The statement for several callers, by the types of its parameters. None if it has none, or
/// some of which there are no arrays.
pub(super) fn for_several(sql: &str, types: &[Type]) -> Option<String> {
    let arrays = names(types).filter(|arrays| !arrays.is_empty())?;
    let aliases: Vec<String> = (1..=types.len()).map(|number| format!("p{number}")).collect();
    let mut inner = String::with_capacity(sql.len() + 64);
    let mut pieces = sql.split('$');
    inner.push_str(pieces.next()?);
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = piece.split_at(digits);
        let kind = types.get(number.parse::<usize>().ok()?.checked_sub(1)?)?;
        // As a column a text would bring its own order along, and no index would fit.
        match *kind {
            Type::TEXT => inner.push_str(&format!("(q.p{number} COLLATE \"C\"){rest}")),
            _ => inner.push_str(&format!("q.p{number}{rest}")),
        }
    }
    // OFFSET keeps the planner from mixing the inner with the outer.
    Some(format!(
        "SELECT r.*, q.n FROM unnest({}) WITH ORDINALITY AS q ({}, n) CROSS JOIN LATERAL ({inner} OFFSET 0) AS r",
        arrays.join(", "),
        aliases.join(", ")
    ))
}

/// `$1::uuid[]` for each parameter. None if there are no arrays of one of them.
pub(super) fn names(types: &[Type]) -> Option<Vec<String>> {
    let names = (1..).zip(types).map(|(number, kind)| {
        let name = match *kind {
            Type::UUID => "uuid",
            Type::INT8 => "bigint",
            Type::TEXT => "text",
            Type::BYTEA => "bytea",
            _ => return None,
        };
        Some(format!("${number}::{name}[]"))
    });
    names.collect()
}

/// One parameter of all rows, as an array.
#[derive(Debug)]
pub(super) struct Column<'r> {
    rows: &'r [Vec<Value>],
    place: usize,
}

/// Rows of equal length by their columns.
pub(super) fn columns(rows: &[Vec<Value>]) -> Vec<Column<'_>> {
    let width = rows.first().map_or(0, Vec::len);
    (0..width).map(|place| Column { rows, place }).collect()
}

impl ToSql for Column<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let values: Vec<&Value> = self.rows.iter().filter_map(|row| row.get(self.place)).collect();
        values.to_sql(ty, out)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_for_several_takes_arrays() {
        assert_eq!(
            for_several(
                "SELECT a FROM t WHERE b = $1 AND c IN ($2, $12)",
                &[Type::UUID, Type::TEXT]
            ),
            None,
            "a parameter that does not exist"
        );
        assert_eq!(
            for_several(
                "SELECT a FROM t WHERE b = $1 AND c IN ($2, $1)",
                &[Type::UUID, Type::TEXT]
            )
            .as_deref(),
            Some(
                "SELECT r.*, q.n FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS q (p1, p2, n) \
                 CROSS JOIN LATERAL (SELECT a FROM t WHERE b = q.p1 AND c IN ((q.p2 COLLATE \"C\"), q.p1) OFFSET 0) AS r"
            )
        );
        assert_eq!(for_several("SELECT 1", &[]), None);
        assert_eq!(for_several("SELECT $1", &[Type::BOOL]), None);
    }
}
