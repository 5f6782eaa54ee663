//! Types inside a function can be derived for, and another name of the crate can be stated.

mod renamed {
    pub use ::clearance as library;
}

fn main() {
    mod clearance {}

    use ::clearance::{Dto, Entity, Field, Roles, Viewer};

    #[derive(Viewer)]
    #[viewer(crate = renamed::library)]
    struct Guest {
        #[viewer(subject)]
        number: i64,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Roles)]
    #[roles(crate = renamed::library)]
    enum Rank {
        Low,
        #[roles(name = "top")]
        High,
    }

    #[derive(Entity)]
    #[entity(table = "notes", viewer = Guest, crate = renamed::library)]
    #[entity(read_if(viewer.number == row.r#type || row.rank < Rank::High))]
    struct Note {
        #[entity(key)]
        id: i64,
        rank: Rank,
        r#type: i64,
    }

    #[derive(Dto)]
    #[dto(entity = Note, default = visible, crate = renamed::library)]
    #[serde(rename_all = "UPPERCASE")]
    struct Shown {
        id: i64,
        #[visible_if(viewer.number == row.id)]
        r#type: Field<i64>,
    }

    let guest = Guest { number: 1 };
    assert_eq!(::clearance::Viewer::subject(&guest).as_str(), "1");
    assert!(Rank::Low < Rank::High && Some(Rank::High) > Rank::Low);
    assert_eq!(Note::TYPE.field(), "type");
    assert_eq!(
        <Rank as ::clearance::TextEnum>::from_name("top"),
        Some(Rank::High)
    );
    let json = |shown: &Shown| serde_json::to_string(shown).unwrap();
    let mut shown = Shown {
        id: 1,
        r#type: Field::Hidden,
    };
    assert_eq!(json(&shown), r#"{"ID":1}"#);
    shown.r#type = Field::Visible(2);
    assert_eq!(json(&shown), r#"{"ID":1,"TYPE":2}"#);
    let note = Note {
        id: 1,
        rank: Rank::Low,
        r#type: 2,
    };
    assert_eq!((note.id, note.rank, note.r#type), (1, Rank::Low, 2));
}
