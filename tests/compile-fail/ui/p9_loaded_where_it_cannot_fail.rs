//! An attribute that may not be loaded stands only where a comparison can fail: in no filter, and
//! in no condition of plain Rust.

use clearance::policy::MaybeLoaded;
use clearance::{Dto, Entity, Field, Viewer};

#[derive(Viewer)]
struct Guest {
    id: i64,
    team: MaybeLoaded<String>,
}

#[derive(Entity)]
#[entity(table = "notes", viewer = Guest, rows = open, reason = "the case is about fields")]
struct Note {
    #[entity(key)]
    id: i64,
    team: String,
}

#[derive(Dto)]
#[dto(entity = Note, default = visible)]
struct Card {
    id: i64,
    #[visible_if(viewer.team == "red")]
    team: Field<String>,
}

fn filter(guest: Guest) {
    let _ = Card::select().filter(Card::TEAM.eq(guest.team));
}

fn main() {}
