//! Pages by key: S10 and S11.

use clearance::dto::{Direction, Order};
use clearance::repository::{Cursor, Page, Select, Slice};
use clearance::session::MemorySessionStore;
use clearance::token::KeyRing;
use clearance::{
    Access, Dto, Entity, Error, Field, FieldName, Key, RequestContext, Result, Sessions,
    SourceError, Subject, ViewerSource, async_trait,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::engines::storable;
use crate::support::*;

/// Fields of every kind, some hidden, some null.
#[derive(Debug, Dto)]
#[dto(entity = Person, default = visible)]
pub struct Sheet {
    pub id: i64,
    pub username: String,
    pub team: Option<String>,
    pub status: Status,
    pub suspended: bool,
    #[visible_if(rule = same_team_or_admin)]
    pub phone: Field<Option<String>>,
    #[visible_if(viewer.role >= Role::Admin || row.id == viewer.id)]
    pub salary: Field<i64>,
    #[visible_if(viewer.role >= Role::Admin)]
    pub email: Field<Option<String>>,
    #[hidden_if(row.suspended)]
    pub published_at: Field<Option<chrono::DateTime<chrono::Utc>>>,
}

/// Hides its key from some.
#[derive(Debug, Dto)]
#[dto(entity = Person, default = visible)]
pub struct Keyless {
    #[visible_if(viewer.role >= Role::Admin)]
    pub id: Field<i64>,
    pub username: String,
}

#[derive(Debug, Dto)]
#[dto(entity = Person, default = visible)]
pub struct OtherProfile {
    pub id: i64,
    pub username: String,
    #[visible_if(rule = same_team_or_admin)]
    pub phone: Field<Option<String>>,
    #[visible_if(viewer.role >= Role::Admin)]
    pub salary: Field<i64>,
}

async fn page<D: clearance::repository::Shown<Entity = Person>>(
    directory: &Directory,
    select: Select<D>,
    page: Page,
) -> Result<Slice<D>> {
    let access = read().await;
    directory.db.reader(&access).page(select, page).await
}

/// All pages of a query, one after the other, the first with its text made anew.
async fn pages(directory: &Directory, select: &Select<Sheet>, rows: u64) -> Vec<Vec<i64>> {
    let mut pages = Vec::new();
    let mut next = None;
    loop {
        let wanted = match &next {
            None => Page::first(rows),
            Some(cursor) => Page::after(rows, cursor),
        };
        let slice = page(directory, select.clone(), wanted).await.unwrap();
        pages.push(slice.rows.iter().map(|row| row.id).collect());
        match slice.next {
            None => return pages,
            Some(cursor) => next = Some(cursor),
        }
    }
}

async fn all(directory: &Directory, select: Select<Sheet>) -> Vec<i64> {
    let access = read().await;
    let rows = directory.db.reader(&access).all(select).await.unwrap();
    rows.iter().map(|row| row.id).collect()
}

#[tokio::test]
async fn s10_pages_over_hidden_and_null_keys_neither_skip_nor_repeat() {
    let directory = directory().await;
    let query = Sheet::select().order(Sheet::PHONE.desc());
    let of_editor = as_viewer(editor(), pages(&directory, &query, 2)).await;
    assert_eq!(of_editor, [vec![2, 1], vec![3, 4], vec![5]]);
    // The permitted viewer sees another order, so the hidden values do decide it.
    let of_admin = as_viewer(admin(), pages(&directory, &query, 2)).await;
    assert_eq!(of_admin, [vec![6, 4], vec![3, 2], vec![1, 5]]);
    // A last page that is full is the last all the same.
    let ids = Sheet::select().order(Sheet::ID.asc());
    let of_admin = as_viewer(admin(), pages(&directory, &ids, 3)).await;
    assert_eq!(of_admin, [vec![1, 2, 3], vec![4, 5, 6]]);
}

#[tokio::test]
async fn s10_pages_are_the_same_where_only_hidden_values_differ() {
    let directory = directory().await;
    let query = Sheet::select()
        .order(Sheet::PHONE.asc())
        .order(Sheet::SALARY.desc());
    let before = as_viewer(editor(), pages(&directory, &query, 1)).await;
    let admins = as_viewer(admin(), pages(&directory, &query, 1)).await;
    execute(
        &directory.pool,
        "UPDATE people SET phone = 'zzz' WHERE id = 3; UPDATE people SET phone = NULL WHERE id = 4;
        UPDATE people SET salary = 5 - id WHERE id <> 2",
    )
    .await;
    assert_eq!(
        as_viewer(editor(), pages(&directory, &query, 1)).await,
        before
    );
    assert_ne!(
        as_viewer(admin(), pages(&directory, &query, 1)).await,
        admins
    );
}

#[tokio::test]
async fn s10_a_cursor_is_of_one_length_whatever_is_hidden() {
    let directory = directory().await;
    let query = || Sheet::select().order(Sheet::PHONE.desc());
    let third = async || {
        let cursor = page(&directory, query(), Page::first(3))
            .await
            .unwrap()
            .next;
        cursor.unwrap().as_str().len()
    };
    let before = as_viewer(editor(), third()).await;
    execute(
        &directory.pool,
        "UPDATE people SET phone = 'something much longer than before' WHERE id = 3",
    )
    .await;
    assert_eq!(as_viewer(editor(), third()).await, before);
}

fn order(field: usize, direction: Direction) -> Order<Sheet> {
    let tokens = [
        Sheet::ID.untyped(),
        Sheet::USERNAME.untyped(),
        Sheet::TEAM.untyped(),
        Sheet::STATUS.untyped(),
        Sheet::SUSPENDED.untyped(),
        Sheet::PHONE.untyped(),
        Sheet::SALARY.untyped(),
        Sheet::EMAIL.untyped(),
        Sheet::PUBLISHED_AT.untyped(),
    ];
    let token = tokens.get(field).unwrap();
    match direction {
        Direction::Ascending => token.asc(),
        Direction::Descending => token.desc(),
    }
}

#[test]
fn s10_s3_random_pages_make_up_one_full_read() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let text = || prop::sample::select(vec!["", " ", "a", "A", "ä", "\u{10ffff}", "red", "a\0"]);
    let row = (
        text(),
        prop::option::of(text()),
        prop::option::of(text()),
        -2_i64..3,
        any::<bool>(),
        prop::option::of(0_i64..3),
    );
    let orders = prop::collection::vec((0_usize..9, any::<bool>()), 0..4);
    let strategy = (
        prop::collection::vec(row, 1..14),
        orders,
        1_u64..5,
        0_usize..3,
        any::<bool>(),
    );
    let mut runner = TestRunner::new(Config::with_cases(150));
    let several = std::cell::Cell::new(0);
    runner
        .run(&strategy, |(rows, orders, size, who, constant)| {
            let people = rows.into_iter().zip(1_i64..).map(|(row, id)| {
                let (username, phone, team, salary, suspended, day) = row;
                Person {
                    username: storable(username),
                    phone: phone.map(storable),
                    email: phone.map(|phone| storable(&format!("{phone}@"))),
                    team: team.map(storable),
                    salary: if id % 3 == 0 { i64::MAX } else { salary },
                    status: if id % 2 == 0 {
                        Status::Left
                    } else {
                        Status::Away
                    },
                    suspended,
                    published_at: day.map(instant),
                    ..person(id, None)
                }
            });
            runtime.block_on(async {
                let directory = directory_of(people.collect()).await;
                let mut query = Sheet::select();
                if constant {
                    query = query.filter(Sheet::ID.gt(1)).constant_time();
                }
                for (field, descending) in &orders {
                    query = query.order(order(
                        *field,
                        if *descending {
                            Direction::Descending
                        } else {
                            Direction::Ascending
                        },
                    ));
                }
                let viewer = [admin(), editor(), stranger()][who].clone();
                let (pages, all) = as_viewer(viewer, async {
                    let pages = pages(&directory, &query, size).await;
                    (pages, all(&directory, query.clone().limit(1_000)).await)
                })
                .await;
                several.set(several.get() + usize::from(pages.len() > 2));
                assert!(
                    pages
                        .iter()
                        .rev()
                        .skip(1)
                        .all(|page| page.len() as u64 == size)
                );
                assert_eq!(pages.concat(), all);
            });
            Ok(())
        })
        .unwrap();
    assert!(
        several.get() > 30,
        "too few cases have several pages: {}",
        several.get()
    );
}

#[tokio::test]
async fn s9_the_total_of_a_filtered_page_is_counted_under_the_same_mask() {
    let directory = directory().await;
    let query = || {
        Sheet::select()
            .filter(Sheet::PHONE.starts_with("+49"))
            .order(Sheet::PHONE.asc())
            .limit(1)
    };
    let count = async || {
        let access = read().await;
        let reader = directory.db.reader(&access);
        let cold = reader.count(query()).await.unwrap();
        assert_eq!(reader.count(query()).await.unwrap(), cold);
        cold
    };
    assert_eq!(as_viewer(editor(), count()).await, 2);
    assert_eq!(as_viewer(admin(), count()).await, 5);
    let rows = as_viewer(editor(), pages(&directory, &query(), 1)).await;
    assert_eq!(rows.len(), 2);
}

/// The cursor after the first row by phone.
async fn cursor_of(directory: &Directory, viewer: Member) -> Cursor {
    let query = Profile::select().order(Profile::PHONE.asc());
    let slice = as_viewer(viewer, page(directory, query, Page::first(1))).await;
    slice.unwrap().next.unwrap()
}

fn is_refused<D: std::fmt::Debug>(answer: Result<Slice<D>>) {
    let error: Error = answer.unwrap_err();
    assert!(error.is_invalid(), "{error:?}");
    assert_eq!(error.to_string(), "the request is not valid");
    assert_eq!(error.status(), 400);
}

#[tokio::test]
async fn s11_a_cursor_of_another_viewer_query_or_dto_is_refused() {
    let directory = directory().await;
    let cursor = cursor_of(&directory, editor()).await;
    let query = || Profile::select().order(Profile::PHONE.asc());
    let after = |rows| Page::after(rows, &cursor);
    // As it is meant, also with pages of another size.
    let slice = as_viewer(editor(), page(&directory, query(), after(2)))
        .await
        .unwrap();
    assert_eq!(
        slice.rows.iter().map(|row| row.id).collect::<Vec<_>>(),
        [2, 3]
    );

    let same_rules = Member { id: 77, ..editor() };
    let promoted = Member {
        role: Role::Admin,
        ..editor()
    };
    let of_other_team = Member {
        team: Some("blue".into()),
        ..editor()
    };
    for viewer in [same_rules, promoted, of_other_team, admin()] {
        is_refused(as_viewer(viewer, page(&directory, query(), after(1))).await);
    }
    for other in [
        Profile::select(),
        Profile::select().order(Profile::PHONE.desc()),
        Profile::select().order(Profile::USERNAME.asc()),
        query().order(Profile::ID.asc()),
        query().filter(Profile::ID.gt(0)),
        query().search("u"),
        query().lookup(Person::SLUG, "person-1"),
        query().constant_time(),
    ] {
        is_refused(as_viewer(editor(), page(&directory, other, after(1))).await);
    }
    let other = OtherProfile::select().order(OtherProfile::PHONE.asc());
    is_refused(as_viewer(editor(), page(&directory, other, after(1))).await);
}

#[tokio::test]
async fn s11_a_cursor_belongs_to_the_values_of_its_filter() {
    let directory = directory().await;
    let query = |least: i64| Profile::select().filter(Profile::ID.ge(least));
    let cursor = as_viewer(editor(), page(&directory, query(1), Page::first(1)))
        .await
        .unwrap()
        .next
        .unwrap();
    let next = Page::after(1, &cursor);
    assert!(
        as_viewer(editor(), page(&directory, query(1), next.clone()))
            .await
            .is_ok()
    );
    is_refused(as_viewer(editor(), page(&directory, query(2), next)).await);
}

#[tokio::test]
async fn s11_a_cursor_that_was_altered_is_refused_and_echoes_nothing() {
    let directory = directory().await;
    let cursor = cursor_of(&directory, editor()).await;
    let query = || Profile::select().order(Profile::PHONE.asc());
    let mut altered: Vec<String> = (0..cursor.as_str().len())
        .map(|at| {
            let mut bytes = cursor.as_str().as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        })
        .collect();
    altered.extend(["", "A", "AQ", "%00", "ä", "' OR 1 = 1"].map(Into::into));
    altered.push(format!("{cursor}A"));
    altered.push(cursor.as_str()[1..].to_owned());
    altered.push("A".repeat(1_000_000));
    for text in altered {
        let page = page(&directory, query(), Page::after(1, &text.as_str().into()));
        is_refused(as_viewer(editor(), page).await);
    }
    assert!(!format!("{cursor:?}").contains(cursor.as_str()));
    is_refused(as_viewer(editor(), page(&directory, query(), Page::first(0))).await);
    is_refused(as_viewer(editor(), page(&directory, query(), Page::first(u64::MAX))).await);
}

#[tokio::test]
async fn s10_a_dto_that_hides_its_key_has_no_pages() {
    let directory = directory().await;
    for viewer in [editor(), admin()] {
        let error = as_viewer(viewer, page(&directory, Keyless::select(), Page::first(1)))
            .await
            .unwrap_err();
        assert!(error.is_misuse(), "{error}");
    }
}

#[tokio::test]
async fn s10_pages_without_a_viewer_go_on_too() {
    let directory = directory().await;
    let query = || Profile::select().order(Profile::USERNAME.desc());
    let (first, second) = as_nobody(async {
        let access = public();
        let reader = directory.db.reader(&access);
        let first = reader.page(query(), Page::first(2)).await.unwrap();
        let next = Page::after(2, &first.next.unwrap());
        (first.rows, reader.page(query(), next).await.unwrap().rows)
    })
    .await;
    let ids = |rows: Vec<Profile>| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!((ids(first), ids(second)), (vec![5, 4], vec![3, 2]));
}

struct Members;

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        Ok(subject.parse().ok().map(|id| Member { id, ..editor() }))
    }
}

async fn signed_in(ring: impl Into<KeyRing>) -> RequestContext {
    let sessions = Sessions::builder(ring, MemorySessionStore::new(), Members)
        .app_url("https://app.example")
        .build()
        .unwrap();
    let context = RequestContext::new(&sessions, &axum::http::HeaderMap::new());
    context.sign_in(&Subject::new(2)).await.unwrap();
    context
}

#[tokio::test]
async fn sr_31_a_cursor_opens_while_its_key_is_changed() {
    let directory = directory().await;
    let (old, new) = (Key::generate().unwrap(), Key::generate().unwrap());
    let before = KeyRing::new(old.clone());
    let known = before.clone().retired(new.clone());
    let changed = KeyRing::new(new.clone()).retired(old.clone());
    let opens = async |made_by: &KeyRing, opened_by: &KeyRing| {
        let query = || Profile::select().order(Profile::PHONE.asc());
        let maker = signed_in(made_by.clone()).await;
        let slice = maker.scope(page(&directory, query(), Page::first(1))).await;
        let cursor = slice.unwrap().next.unwrap();
        let opener = signed_in(opened_by.clone()).await;
        let after = page(&directory, query(), Page::after(1, &cursor));
        opener.scope(after).await
    };
    for (made_by, opened_by) in [
        (&before, &known),
        (&known, &before),
        (&known, &changed),
        (&changed, &known),
        (&before, &changed),
    ] {
        assert!(opens(made_by, opened_by).await.is_ok());
    }
    is_refused(opens(&before, &KeyRing::new(new)).await);
}

#[tokio::test]
async fn s11_a_cursor_opens_on_every_server_of_one_key_and_on_no_other() {
    let directory = directory().await;
    let (key, other) = (Key::generate().unwrap(), Key::generate().unwrap());
    let query = || Profile::select().order(Profile::PHONE.asc());
    let first = signed_in(key.clone()).await;
    let slice = first
        .scope(page(&directory, query(), Page::first(1)))
        .await
        .unwrap();
    let next = Page::after(1, &slice.next.unwrap());
    // Another service, with sessions of its own, under the same key.
    let second = signed_in(key.clone()).await;
    let slice = second
        .scope(page(&directory, query(), next.clone()))
        .await
        .unwrap();
    assert_eq!(slice.rows[0].id, 2);
    let third = signed_in(other.clone()).await;
    is_refused(third.scope(page(&directory, query(), next.clone())).await);
    is_refused(as_viewer(editor(), page(&directory, query(), next)).await);
}

/// Rows of one tenant each.
#[derive(Entity)]
#[entity(table = "people", viewer = Member, read_if(same(row.team, viewer.team)))]
pub struct Tenanted {
    #[entity(key)]
    pub id: i64,
    pub team: Option<String>,
}

#[derive(Debug, Dto)]
#[dto(entity = Tenanted, default = visible)]
pub struct TenantedId {
    pub id: i64,
}

#[tokio::test]
async fn s11_x13_a_cursor_does_not_open_in_another_tenant() {
    let directory = directory().await;
    let read_page = async |page| {
        let access = Access::<clearance::Read<Member>>::authenticated()
            .await
            .unwrap();
        directory
            .db
            .reader(&access)
            .page(TenantedId::select(), page)
            .await
    };
    let slice = as_viewer(editor(), read_page(Page::first(1)))
        .await
        .unwrap();
    let next = Page::after(1, &slice.next.unwrap());
    let slice = as_viewer(editor(), read_page(next.clone())).await.unwrap();
    assert_eq!(slice.rows[0].id, 2);
    // The same subject, moved to another tenant.
    let moved = Member {
        team: Some("blue".into()),
        ..editor()
    };
    is_refused(as_viewer(moved, read_page(next)).await);
}

#[tokio::test]
async fn s11_a_page_is_written_as_rows_and_next() {
    let directory = directory().await;
    let query = FieldName::<Profile>::named("username").unwrap();
    let query = || Profile::select().order(query.asc());
    let slice = as_viewer(admin(), page(&directory, query(), Page::first(5)))
        .await
        .unwrap();
    let json = serde_json::to_value(&slice).unwrap();
    assert_eq!(json["rows"][0]["id"], 1);
    let cursor: Cursor = serde_json::from_value(json["next"].clone()).unwrap();
    let last = as_viewer(admin(), page(&directory, query(), Page::after(5, &cursor)))
        .await
        .unwrap();
    assert_eq!(
        serde_json::to_value(&last).unwrap()["next"],
        serde_json::Value::Null
    );
}

#[tokio::test]
async fn s11_s9_who_may_read_no_row_gets_an_empty_page_and_a_count_of_none() {
    let directory = directory().await;
    let query = || {
        TenantedId::select()
            .filter(TenantedId::ID.gt(0))
            .order(TenantedId::ID.desc())
            .refuse_hidden()
    };
    let ask = async |viewer| {
        as_viewer(viewer, async {
            let access = read().await;
            let reader = directory.db.reader(&access);
            let page = reader.page(query(), Page::first(9)).await.unwrap();
            assert!(page.next.is_none());
            let cursor = Page::after(9, &"AQ".into());
            is_refused(reader.page(query(), cursor).await);
            let all = reader.all(query()).await.unwrap();
            let distinct = reader.distinct(query(), TenantedId::ID).await.unwrap();
            assert_eq!(distinct.len(), all.len());
            assert_eq!(page.rows.len(), all.len());
            let count = reader.count(query()).await.unwrap();
            assert_eq!(count, all.len() as u64);
            count
        })
        .await
    };
    // A stranger is in no team, so the rule of the rows is decided before any row.
    assert_eq!(ask(stranger()).await, 0);
    assert_eq!(ask(editor()).await, 4);
}
