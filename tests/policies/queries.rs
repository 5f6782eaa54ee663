//! What can be asked of a field, and what the answers tell of a hidden one.

use clearance::dto::Filter;
use clearance::repository::Select;
use clearance::{Dto, Entity, Error, Field, FieldName};
use clearance_matrix::Matrix;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::engines::storable;
use crate::support::*;

/// The rows of people again, with columns that only some may filter by.
#[derive(Entity)]
#[entity(table = "people", viewer = Member, read_if(!row.suspended || viewer.role >= Role::Admin))]
pub struct Contact {
    #[entity(key)]
    pub id: i64,
    #[entity(lookup)]
    pub slug: String,
    pub team: Option<String>,
    #[entity(filter_if(viewer.role >= Role::Admin || same(viewer.team, row.team)))]
    pub email: Option<String>,
    #[entity(filter_if(viewer.role >= Role::Admin))]
    pub salary: i64,
    pub suspended: bool,
}

#[derive(Debug, Dto)]
#[dto(entity = Contact, default = visible)]
pub struct Card {
    pub id: i64,
}

/// A field under a name of its own, a masked one and an opaque one.
#[derive(Debug, Dto)]
#[dto(entity = Person, default = visible)]
pub struct Listing {
    pub id: i64,
    #[serde(rename = "login")]
    pub username: String,
    #[visible_if(viewer.role >= Role::Admin)]
    #[dto(mask = last4)]
    pub phone: Option<String>,
    #[visible_if(opaque(is_own))]
    pub email: Field<Option<String>>,
    #[visible_if(rule = same_team_or_admin)]
    pub team: Field<Option<String>>,
}

fn is_own(viewer: &Member, row: &Person, _: &clearance::policy::Context) -> bool {
    viewer.id == row.id
}

/// Runs each query twice, so that its text is made once and remembered once.
pub async fn found(directory: &Directory, viewer: Member, select: Select<Profile>) -> Vec<i64> {
    as_viewer(viewer, async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        let query = select.order(Profile::ID.asc());
        let cold = reader.all(query.clone()).await.unwrap();
        let warm = reader.all(query).await.unwrap();
        let ids = |rows: Vec<Profile>| rows.iter().map(|row| row.id).collect::<Vec<_>>();
        let cold = ids(cold);
        assert_eq!(cold, ids(warm));
        cold
    })
    .await
}

async fn filtered(directory: &Directory, viewer: Member, filter: Filter<Profile>) -> Vec<i64> {
    found(directory, viewer, Profile::select().filter(filter)).await
}

async fn cards(directory: &Directory, viewer: Member, select: Select<Card>) -> Vec<i64> {
    as_viewer(viewer, async {
        let access = read().await;
        let query = select.order(Card::ID.asc());
        let rows = directory.db.reader(&access).all(query).await.unwrap();
        rows.iter().map(|row| row.id).collect()
    })
    .await
}

async fn refused<D: clearance::repository::Shown<Entity = Person> + std::fmt::Debug>(
    directory: &Directory,
    viewer: Member,
    select: Select<D>,
) -> Error {
    as_viewer(viewer, async {
        let access = read().await;
        directory.db.reader(&access).all(select).await.unwrap_err()
    })
    .await
}

/// The editor is of team red: the phones of 1, 2 and 5 are visible, those of 3 and 4 hidden, and
/// that of 5 is null.
#[tokio::test]
async fn s1_s2_s12_lists_and_texts_find_no_hidden_row() {
    let directory = directory().await;
    let phones = ["+49 30 555001", "+49 30 555003", "+49 30 555004"];
    for (filter, editors, admins) in [
        (Profile::PHONE.is_in(phones), vec![1], vec![1, 3, 4]),
        (!Profile::PHONE.is_in(phones), vec![2], vec![2, 6]),
        (Profile::PHONE.is_not_in(phones), vec![2], vec![2, 6]),
        (!Profile::PHONE.is_not_in(phones), vec![1], vec![1, 3, 4]),
        (Profile::PHONE.contains("555003"), vec![], vec![3]),
        (
            !Profile::PHONE.contains("555001"),
            vec![2],
            vec![2, 3, 4, 6],
        ),
        (
            Profile::PHONE.starts_with("+49"),
            vec![1, 2],
            vec![1, 2, 3, 4, 6],
        ),
        (!Profile::PHONE.starts_with("+49"), vec![], vec![]),
        (
            !Profile::PHONE.starts_with("x"),
            vec![1, 2],
            vec![1, 2, 3, 4, 6],
        ),
        (Profile::PHONE.ends_with("3"), vec![], vec![3]),
        (!Profile::PHONE.ends_with("3"), vec![1, 2], vec![1, 2, 4, 6]),
        (Profile::SALARY.is_in([3_000]), vec![], vec![3]),
        (
            Profile::SALARY.is_not_in([3_000]),
            vec![],
            vec![1, 2, 4, 5, 6],
        ),
    ] {
        assert_eq!(
            filtered(&directory, editor(), filter.clone()).await,
            editors
        );
        assert_eq!(filtered(&directory, admin(), filter).await, admins);
    }
}

#[tokio::test]
async fn n3_lists_of_none_of_one_and_with_a_null() {
    let directory = directory().await;
    let with_null = || [Some("user1"), None];
    for (filter, ids) in [
        (Profile::USERNAME.is_in([""; 0]), vec![]),
        (Profile::USERNAME.is_not_in([""; 0]), vec![1, 2, 3, 4, 5, 6]),
        (Profile::USERNAME.is_in(["user1"]), vec![1]),
        (Profile::USERNAME.is_in(with_null()), vec![1]),
        (!Profile::USERNAME.is_in(with_null()), vec![]),
        (Profile::USERNAME.is_not_in(with_null()), vec![]),
        (Profile::USERNAME.is_in([None::<&str>]), vec![]),
        (Profile::USERNAME.is_not_in([None::<&str>]), vec![]),
        (Profile::USERNAME.is_in(vec!["user1"; 500]), vec![1]),
        (Profile::ID.is_in(1..=1_000), vec![1, 2, 3, 4, 5, 6]),
    ] {
        assert_eq!(filtered(&directory, admin(), filter).await, ids);
    }
    // Nothing is in an empty list, so a hidden field is not either; it is unknown all the same.
    let none = Profile::PHONE.is_not_in([""; 0]);
    assert_eq!(filtered(&directory, editor(), none).await, [1, 2, 5]);
}

const HOSTILE: &[&str] = &[
    "",
    "%",
    "_",
    "\\",
    "[",
    "]",
    "'",
    "\"",
    "*",
    "?",
    "a",
    "A",
    "ä",
    "Ä",
    "a\u{308}",
    "ß",
    "SS",
    "%%",
    "a%",
    "_a",
    "\\%",
    "\0",
    "a\0b",
    "\u{1}",
    "\u{7f}",
    "\u{80}",
    "\u{7ff}",
    "\u{800}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{ffff}",
    "\u{10000}",
    "\u{10ffff}",
    "a\u{10ffff}",
    "a\u{10ffff}b",
    "😀",
    " ",
    "a ",
    " a",
    "[a]",
    "--",
    "/*",
    "abcABC",
    "cAB",
];

/// What Rust says of a text.
type Holds<'a> = &'a dyn Fn(&str) -> bool;

#[tokio::test]
async fn n7_n8_n13_texts_agree_with_rust_on_hostile_needles() {
    let people: Vec<Person> = HOSTILE
        .iter()
        .flat_map(|one| [(*one).to_owned(), format!("x{one}"), format!("{one}y")])
        .enumerate()
        .map(|(index, username)| Person {
            username: storable(&username),
            ..person(i64::try_from(index).unwrap() + 1, None)
        })
        .collect();
    let names: Vec<_> = people
        .iter()
        .map(|person| (person.id, person.username.clone()))
        .collect();
    let directory = directory_of(people).await;
    let mut hits = 0;
    for needle in HOSTILE {
        let expected = |holds: &dyn Fn(&str) -> bool| -> Vec<i64> {
            names
                .iter()
                .filter(|(_, name)| holds(name))
                .map(|(id, _)| *id)
                .collect()
        };
        let tests: [(Filter<Profile>, Holds<'_>); 3] = [
            (Profile::USERNAME.contains(*needle), &|name| {
                name.contains(needle)
            }),
            (Profile::USERNAME.starts_with(*needle), &|name| {
                name.starts_with(needle)
            }),
            (Profile::USERNAME.ends_with(*needle), &|name| {
                name.ends_with(needle)
            }),
        ];
        for (filter, holds) in tests {
            let found = filtered(&directory, admin(), filter.clone()).await;
            hits += found.len();
            assert_eq!(found, expected(holds), "{needle:?}");
            let others = filtered(&directory, admin(), !filter).await;
            assert_eq!(others, expected(&|name| !holds(name)), "not {needle:?}");
        }
    }
    assert!(hits > 300, "{hits}");
}

#[test]
fn n8_n13_random_texts_agree_with_rust() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let letters = prop::sample::select(vec![
        'a',
        'A',
        '%',
        '_',
        '\\',
        '\0',
        'ä',
        '\u{d7ff}',
        '\u{10ffff}',
    ]);
    let text = prop::collection::vec(letters, 0..4).prop_map(String::from_iter);
    let strategy = (prop::collection::vec(text.clone(), 1..8), text);
    let mut runner = TestRunner::new(Config::with_cases(64));
    runner
        .run(&strategy, |(names, needle)| {
            runtime.block_on(async {
                let names: Vec<_> = names.iter().map(|name| storable(name)).collect();
                let people = names.iter().zip(1..).map(|(name, id)| Person {
                    username: name.clone(),
                    ..person(id, None)
                });
                let directory = directory_of(people.collect()).await;
                let expected = |holds: &dyn Fn(&str) -> bool| -> Vec<i64> {
                    let ids = names.iter().zip(1..).filter(|(name, _)| holds(name));
                    ids.map(|(_, id)| id).collect()
                };
                let needle = needle.as_str();
                let contains = Profile::USERNAME.contains(needle);
                let starts = Profile::USERNAME.starts_with(needle);
                let ends = Profile::USERNAME.ends_with(needle);
                let found = filtered(&directory, admin(), contains).await;
                assert_eq!(found, expected(&|name| name.contains(needle)));
                let found = filtered(&directory, admin(), starts).await;
                assert_eq!(found, expected(&|name| name.starts_with(needle)));
                let found = filtered(&directory, admin(), ends).await;
                assert_eq!(found, expected(&|name| name.ends_with(needle)));
            });
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn s17_a_search_leaves_hidden_fields_out() {
    let directory = directory().await;
    let search = |needle: &str| Profile::select().search(needle);
    for (needle, editors, admins) in [
        ("555003", vec![], vec![3]),
        ("555001", vec![1], vec![1]),
        ("user", vec![1, 2, 3, 4, 5], vec![1, 2, 3, 4, 5, 6]),
        ("3", vec![1, 2, 3], vec![1, 2, 3, 4, 6]),
        ("%", vec![], vec![]),
    ] {
        assert_eq!(found(&directory, editor(), search(needle)).await, editors);
        assert_eq!(found(&directory, admin(), search(needle)).await, admins);
    }
    let narrowed = search("3").filter(Profile::ID.gt(1));
    assert_eq!(found(&directory, editor(), narrowed).await, [2, 3]);
}

#[tokio::test]
async fn p13_a_field_is_named_by_its_key_or_not_at_all() {
    let directory = directory().await;
    let token = FieldName::<Listing>::named("login").unwrap();
    let rows = as_viewer(admin(), async {
        let access = read().await;
        let query = Listing::select().filter(token.eq("user3"));
        directory.db.reader(&access).all(query).await.unwrap()
    })
    .await;
    assert_eq!(rows[0].id, 3);
    let unknown = FieldName::<Listing>::named("nonsense").unwrap_err();
    for key in ["username", "phone", "email", "", "id; DROP TABLE people"] {
        let error = FieldName::<Listing>::named(key).unwrap_err();
        assert!(error.is_invalid());
        assert_eq!(error.status(), 400);
        assert_eq!(error.to_string(), unknown.to_string());
    }
    assert_eq!(unknown.to_string(), "the request is not valid");
}

#[tokio::test]
async fn n11_a_value_of_another_kind_is_the_clients_mistake_where_the_client_named_the_field() {
    let directory = directory().await;
    let named = FieldName::<Profile>::named("username").unwrap();
    let error = refused(&directory, admin(), Profile::select().filter(named.eq(1))).await;
    assert!(error.is_invalid(), "{error}");
    let coded = Profile::USERNAME.untyped().eq(1);
    let error = refused(&directory, admin(), Profile::select().filter(coded)).await;
    assert!(error.is_misuse(), "{error}");
    let error = refused(
        &directory,
        admin(),
        Profile::select().filter(Profile::ID.untyped().contains("1")),
    )
    .await;
    assert!(error.is_misuse(), "{error}");
}

#[tokio::test]
async fn s15_and_as_well_as_or_need_every_field_in_the_refusing_mode() {
    let directory = directory().await;
    let id = || Profile::ID.gt(0);
    let refusing = || Profile::select().refuse_hidden();
    let unknown = FieldName::<Profile>::named("nonsense").unwrap_err();
    // One depends on the row, the other is hidden from an editor in every row.
    for hidden in [Profile::PHONE.is_null(), Profile::SALARY.gt(0)] {
        for query in [
            refusing().filter(hidden.clone()),
            refusing().filter(hidden.clone().and(id())),
            refusing().filter(id().and(hidden.clone())),
            refusing().filter(id().or(hidden.clone())),
            refusing().filter(!(id().or(!hidden.clone()))),
            refusing().filter(Profile::ID.lt(0).and(hidden.clone())),
            refusing().filter(Profile::ID.is_in([0; 0]).and(hidden.clone())),
        ] {
            let error = refused(&directory, editor(), query.clone()).await;
            assert_eq!(format!("{error:?}"), format!("{unknown:?}"));
            assert_eq!(error.to_string(), unknown.to_string());
            // The permitted viewer is answered.
            found(&directory, admin(), query).await;
        }
    }
    for token in [Profile::PHONE.untyped(), Profile::SALARY.untyped()] {
        let error = refused(&directory, editor(), refusing().order(token.asc())).await;
        assert!(error.is_invalid());
        assert_eq!(
            found(&directory, admin(), refusing().order(token.asc()))
                .await
                .len(),
            6
        );
    }
    // What every viewer may see can be named, and without the mode all of it can.
    assert_eq!(
        found(&directory, editor(), refusing().filter(id())).await,
        [1, 2, 3, 4, 5]
    );
    let hiding = Profile::select().filter(Profile::PHONE.is_null().or(id()));
    assert_eq!(found(&directory, editor(), hiding).await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn s15_the_name_of_a_refused_field_goes_to_the_log() {
    let directory = directory().await;
    let (log, _guard) = AllEvents::listen();
    let query = Profile::select()
        .refuse_hidden()
        .filter(Profile::PHONE.eq("secret needle"));
    refused(&directory, editor(), query).await;
    let log = log.take();
    assert!(
        log.iter()
            .any(|line| line.contains("clearance::access") && line.contains("field=phone")),
        "{log:#?}"
    );
    assert!(!log.iter().any(|line| line.contains("secret needle")));
}

#[tokio::test]
async fn s14_s1_a_column_outside_the_dto_is_filtered_where_its_rule_allows() {
    let directory = directory().await;
    for (filter, editors, admins) in [
        (Contact::EMAIL.eq("user1@example.org"), vec![1], vec![1]),
        (Contact::EMAIL.eq("user3@example.org"), vec![], vec![3]),
        (
            !Contact::EMAIL.eq("user1@example.org"),
            vec![2, 5],
            vec![2, 3, 4, 5, 6],
        ),
        (
            Contact::EMAIL.is_not_null(),
            vec![1, 2, 5],
            vec![1, 2, 3, 4, 5, 6],
        ),
        (Contact::EMAIL.is_null(), vec![], vec![]),
        (
            Contact::EMAIL.starts_with("user"),
            vec![1, 2, 5],
            vec![1, 2, 3, 4, 5, 6],
        ),
        (Contact::SALARY.ge(3_000), vec![], vec![3, 4, 5, 6]),
        (!Contact::SALARY.ge(3_000), vec![], vec![1, 2]),
        (
            Contact::SALARY
                .is_in([1_000])
                .or(Contact::EMAIL.contains("2")),
            vec![2],
            vec![1, 2],
        ),
    ] {
        let query = || Card::select().filter_column(filter.clone());
        assert_eq!(cards(&directory, editor(), query()).await, editors);
        assert_eq!(cards(&directory, admin(), query()).await, admins);
        assert_eq!(
            cards(&directory, editor(), query().constant_time()).await,
            editors
        );
    }
    // The refusing mode refuses these as it refuses fields.
    let refusing = || {
        Card::select()
            .refuse_hidden()
            .filter_column(Contact::SALARY.gt(0))
    };
    let error = as_viewer(editor(), async {
        let access = read().await;
        directory
            .db
            .reader(&access)
            .all(refusing())
            .await
            .unwrap_err()
    })
    .await;
    assert!(error.is_invalid());
    assert_eq!(cards(&directory, admin(), refusing()).await.len(), 6);
}

#[tokio::test]
async fn s16_a_lookup_of_what_may_not_be_read_finds_nothing() {
    let directory = directory().await;
    let lookup = |slug: &'static str| Card::select().lookup(Contact::SLUG, slug);
    // Suspended, and not there at all: the same answer.
    assert_eq!(
        cards(&directory, editor(), lookup("person-6")).await,
        [0; 0]
    );
    assert_eq!(
        cards(&directory, editor(), lookup("person-7")).await,
        [0; 0]
    );
    assert_eq!(cards(&directory, admin(), lookup("person-6")).await, [6]);
    for slug in ["person-6", "person-7"] {
        let error = as_viewer(editor(), async {
            let access = read().await;
            directory
                .db
                .reader(&access)
                .one(lookup(slug))
                .await
                .unwrap_err()
        })
        .await;
        assert!(error.is_not_found());
    }
}

clearance::app! {
    static CONTACTS = { viewer: Member, dtos: [Card], repositories: [] };
}

#[test]
fn x7_n7_who_may_filter_by_a_column_stands_in_the_matrix() {
    let (admin, editor) = (admin(), editor());
    let matrix = Matrix::of(&CONTACTS);
    let matrix = matrix.viewer("admin", &admin).viewer("editor", &editor);
    let matrix = matrix.build().unwrap().to_markdown();
    let answers = |field: &str| {
        let start = format!("| filter by `{field}` |");
        let line = matrix.lines().find(|line| line.starts_with(&start));
        let cells: Vec<_> = line.unwrap().split(" | ").skip(2).collect();
        cells.join(" | ")
    };
    assert_eq!(answers("salary"), "no | yes | yes | no |");
    assert_eq!(
        answers("email"),
        "no | yes | yes | depends: `row.team == \"red\"` |"
    );
}
