//! Serialisation is the derive's own: two fields do not share a key, and only naming is chosen.

use clearance::Dto;
use clearance_compile_fail::User;

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct SameKey {
    id: i64,
    #[serde(rename = "id")]
    name: String,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
#[serde(rename_all = "Kebab", deny_unknown_fields)]
struct Unsupported {
    id: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
}

fn main() {}
