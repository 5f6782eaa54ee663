//! Who asks, and when: X11, X12, and the roles.

use clearance::policy::Context;
use clearance::{Access, Dto, Field, RequestContext, Roles as _, TextEnum as _};

use crate::support::*;

#[derive(Dto)]
#[dto(entity = Person, default = visible)]
struct Card {
    id: i64,
    #[visible_if(viewer.role >= Role::Viewer)]
    username: Field<String>,
    #[visible_if(viewer.role < Role::Admin)]
    email: Field<Option<String>>,
    #[visible_if(row.team == "red" || viewer.role >= Role::Admin)]
    phone: Field<Option<String>>,
    #[visible_if(row.published_at <= context.now)]
    salary: Field<i64>,
}

async fn cards(directory: &Directory) -> Vec<Card> {
    let access = public();
    let query = Card::select().order(Card::ID.asc());
    directory.db.reader(&access).all(query).await.unwrap()
}

#[tokio::test]
async fn x11_without_a_viewer_no_condition_that_reads_it_holds() {
    let directory = directory().await;
    let rows = as_nobody(cards(&directory)).await;
    // The row rule shows the suspended to admins only.
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    assert!(rows.iter().all(|row| row.username.is_hidden()));
    // Nor does one that every role below would fulfil.
    assert!(rows.iter().all(|row| row.email.is_hidden()));
    // What the row alone fulfils stands.
    let phones: Vec<_> = rows.iter().map(|row| row.phone.is_hidden()).collect();
    assert_eq!(phones, [false, false, true, true, false]);
}

#[tokio::test]
async fn x11_public_has_no_viewer_even_when_somebody_is_signed_in() {
    let directory = directory().await;
    let rows = as_viewer(admin(), cards(&directory)).await;
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().all(|row| row.username.is_hidden()));
}

#[tokio::test]
async fn x11_system_passes_every_rule_and_is_refused_in_a_request() {
    let directory = directory().await;
    let access = system();
    let rows = directory
        .db
        .reader(&access)
        .all(Card::select())
        .await
        .unwrap();
    assert_eq!(rows.len(), 6);
    assert!(
        rows.iter()
            .all(|row| !row.username.is_hidden() && !row.salary.is_hidden())
    );

    as_viewer(admin(), async {
        assert!(Access::system("a job").unwrap_err().is_misuse());
        // One that was taken before is refused as well.
        let error = directory.db.reader(&access).all(Card::select()).await;
        assert!(error.err().unwrap().is_misuse());
    })
    .await;
    assert!(Access::system(" ").unwrap_err().is_misuse());
}

#[tokio::test]
async fn x12_a_rule_reads_the_instant_of_the_request() {
    let directory = directory_of(vec![
        person(2, None),
        person(3, None),
        Person {
            published_at: Some(instant(3) + chrono::Duration::microseconds(1)),
            ..person(4, None)
        },
        Person {
            published_at: None,
            ..person(5, None)
        },
    ])
    .await;
    let request = clearance::testing::as_viewer_in(editor(), Context::new(instant(3)));
    let shown: Vec<_> = request
        .scope(async {
            assert_eq!(request_context().now, instant(3));
            let rows = cards(&directory).await;
            rows.iter()
                .map(|row| (row.id, row.salary.is_hidden()))
                .collect()
        })
        .await;
    assert_eq!(shown, [(2, false), (3, false), (4, true), (5, true)]);
    assert!(RequestContext::current().is_err());
}

#[test]
fn rb_01_rb_02_roles_have_an_order_and_higher_ones_include_lower_ones() {
    let table: Vec<Vec<bool>> = Role::ALL
        .iter()
        .map(|role| {
            Role::ALL
                .iter()
                .map(|other| role.includes(*other))
                .collect()
        })
        .collect();
    assert_eq!(
        table,
        [
            [true, false, false],
            [true, true, false],
            [true, true, true]
        ]
    );
    assert!(Role::Viewer < Role::Editor && Role::Editor < Role::Admin);
    assert_eq!(Role::NAMES, ["viewer", "editor", "admin"]);
}

#[test]
fn rb_05_an_unknown_role_is_no_role_and_passes_nothing() {
    for unknown in ["superadmin", "Admin", "admin ", "", "ADMIN"] {
        let role = Role::from_name(unknown);
        assert_eq!(role, None);
        // Below every role, whichever way it is asked.
        for required in Role::ALL {
            assert!(role < *required && role != *required);
            assert!(!role.is_some_and(|role| role.includes(*required)));
        }
    }
    assert!(Role::from_name("admin") >= Role::Editor);
    assert!(Role::from_name("editor") == Role::Editor);
}

#[tokio::test]
async fn p7_a_viewer_that_changes_within_a_request_is_decided_anew() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use clearance::session::MemorySessionStore;
    use clearance::{Key, Sessions, SourceError, Subject, Viewer as _, ViewerSource, async_trait};

    /// An editor who is an admin from the moment the flag is set.
    struct Promoted(Arc<AtomicBool>);

    #[async_trait]
    impl ViewerSource<Member> for Promoted {
        async fn load(&self, _: &Subject) -> Result<Option<Member>, SourceError> {
            let role = if self.0.load(Ordering::SeqCst) {
                Role::Admin
            } else {
                Role::Editor
            };
            Ok(Some(Member { role, ..editor() }))
        }
    }

    let directory = directory().await;
    let promoted = Arc::new(AtomicBool::new(false));
    let sessions = Sessions::builder(
        Key::generate().unwrap(),
        MemorySessionStore::new(),
        Promoted(Arc::clone(&promoted)),
    )
    .app_url("https://app.example")
    .build()
    .unwrap();
    let subject = editor().subject();
    let cookie = sessions
        .create(&subject)
        .await
        .unwrap()
        .into_set_cookies()
        .remove(0);
    let pair = cookie.to_str().unwrap().split(';').next().unwrap();
    let mut headers = http::HeaderMap::new();
    headers.insert(http::header::COOKIE, pair.parse().unwrap());

    let request = RequestContext::new(&sessions, &headers);
    let salaries = async || {
        let access = read().await;
        let rows = directory
            .db
            .reader(&access)
            .all(Profile::select())
            .await
            .unwrap();
        rows.iter().filter(|row| !row.salary.is_hidden()).count()
    };
    assert_eq!(request.scope(salaries()).await, 0);
    promoted.store(true, Ordering::SeqCst);
    sessions.viewer_changed(&subject);
    assert_eq!(request.scope(salaries()).await, 6);
}
