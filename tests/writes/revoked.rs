//! Every form of a write asks whether its session still stands, in the database itself where the
//! session is there.

use clearance::{
    Access, Error, Key, RequestContext, Result, SessionId, Sessions, SourceError, Subject,
    Untrusted, Viewer as _, ViewerSource, Write, async_trait,
};

use crate::desk::*;
use crate::support::{Directory, Statements};

struct Agents;

#[async_trait]
impl ViewerSource<Agent> for Agents {
    async fn load(&self, _: &Subject) -> Result<Option<Agent>, SourceError> {
        Ok(Some(agent()))
    }
}

struct SignedIn {
    sessions: Sessions<Agent>,
    session: SessionId,
    request: RequestContext,
}

async fn signed_in(directory: &Directory) -> SignedIn {
    directory.db.migrate().await.unwrap();
    let store = directory.db.session_store();
    let sessions = Sessions::builder(Key::generate().unwrap(), store, Agents)
        .app_url("https://app.example")
        .build()
        .unwrap();
    let session = sessions.create(&agent().subject()).await.unwrap();
    let id = session.id();
    let cookie = session.into_set_cookies().remove(0);
    let pair = cookie.to_str().unwrap().split(';').next().unwrap();
    let mut headers = http::HeaderMap::new();
    headers.insert(http::header::COOKIE, pair.parse().unwrap());
    SignedIn {
        request: RequestContext::new(&sessions, &headers),
        session: id,
        sessions,
    }
}

const FORMS: [&str; 9] = [
    "insert",
    "create",
    "insert_many",
    "update",
    "patch",
    "permitted",
    "all",
    "upsert",
    "delete",
];

async fn write(directory: &Directory, access: &Access<Write<Agent>>, form: &str) -> Result<()> {
    let writer = directory.db.writer(access);
    let found = || TicketView::select().filter(TicketView::ID.le(2));
    match form {
        "insert" => writer.insert(ticket(20, 7)).await,
        "create" => {
            let body = Untrusted::<NewTicket>::json(r#"{"title":"no sound"}"#);
            let create = writer.create(body.open(access)?);
            create.returning::<TicketView>().await.map(drop)
        }
        "insert_many" => writer.insert_many((30..40).map(|id| ticket(id, 7))).await,
        "update" => {
            let update = writer.update::<Ticket>(1).set(Ticket::TITLE, "set");
            update.execute().await
        }
        "patch" => {
            let body = Untrusted::<EditTicket>::json(r#"{"title":"patched"}"#);
            let update = writer.update::<Ticket>(1).patch(body.open(access)?);
            update.returning::<TicketView>().await.map(drop)
        }
        "permitted" => {
            let update = writer.update_many(found()).set(Ticket::STAGE, 5);
            update.execute_permitted().await.map(drop)
        }
        "all" => {
            let update = writer.update_many(found()).set(Ticket::STAGE, 6);
            update.execute_all().await.map(drop)
        }
        "upsert" => {
            let update = writer.update::<Ticket>(50).set(Ticket::STAGE, 5);
            update
                .or_create(writer.create(ticket(50, 7)))
                .await
                .map(drop)
        }
        // No agent may delete, so that it is the session that must be spoken of first.
        _ => writer.delete::<Ticket>(1).await,
    }
}

#[tokio::test]
async fn vs_14_asvs_8_2_2_no_form_of_a_write_outlives_its_session() {
    for form in FORMS {
        let directory = desk().await;
        let before = all(&directory).await;
        let signed_in = signed_in(&directory).await;
        let SignedIn {
            sessions, session, ..
        } = &signed_in;
        let outcome: Result<(), Error> = signed_in
            .request
            .scope(async {
                let access = Access::<Write<Agent>>::authenticated().await?;
                sessions.revoke(&agent().subject(), *session).await?;
                write(&directory, &access, form).await
            })
            .await;
        let error = outcome.unwrap_err();
        assert!(error.is_unauthenticated(), "{form}: {error:?}");
        assert_eq!(all(&directory).await, before, "{form}");
    }
}

#[tokio::test]
async fn vs_14_each_form_has_the_session_in_the_database_s_own_hands() {
    for form in FORMS {
        let directory = desk().await;
        let signed_in = signed_in(&directory).await;
        let (statements, _guard) = Statements::listen();
        let outcome = signed_in
            .request
            .scope(async {
                let access = Access::<Write<Agent>>::authenticated().await?;
                statements.take();
                write(&directory, &access, form).await
            })
            .await;
        if form == "delete" {
            assert!(outcome.unwrap_err().is_not_found());
            continue;
        }
        outcome.unwrap_or_else(|error| panic!("{form}: {error:?}"));
        let statements = statements.take();
        let guarded = statements
            .iter()
            .find(|text| text.contains("clearance_sessions"));
        let guarded = guarded.unwrap_or_else(|| panic!("{form}: {statements:#?}"));
        // A list of rows rests on a session that is locked before.
        assert_eq!(
            guarded.starts_with("SELECT"),
            form == "insert_many",
            "{form}"
        );
    }
}
