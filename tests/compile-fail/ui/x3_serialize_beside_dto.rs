//! `Serialize` is written by `derive(Dto)`; a second one would show what is hidden.

use clearance::Dto;
use clearance_compile_fail::User;
use serde::Serialize;

#[derive(Dto, Serialize)]
#[dto(entity = User, default = visible)]
struct Together {
    id: i64,
}

#[derive(Dto)]
#[derive(serde::Serialize)]
#[dto(entity = User, default = visible)]
struct Below {
    id: i64,
}

fn main() {}
