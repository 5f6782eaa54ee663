//! A help desk: what clients may send of its tickets.

use clearance::input::Assign;
use clearance::{
    Access, Dto, Entity, Field, Input, Patch, Result, Untrusted, Viewer, Write, testing,
};
use garde::Validate;

use crate::support::{Directory, empty_directory, system};

#[derive(Debug, Clone, Viewer)]
pub struct Agent {
    pub id: i64,
    pub lead: bool,
    pub team: String,
    pub limit: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(
    table = "tickets",
    viewer = Agent,
    read_if(row.team == viewer.team),
    create_if(row.opener == viewer.id || viewer.lead),
    update_if(row.opener == viewer.id || viewer.lead),
    delete_if(viewer.lead)
)]
pub struct Ticket {
    #[entity(key)]
    pub id: i64,
    pub opener: i64,
    pub team: String,
    pub title: String,
    pub stage: i64,
    pub note: Option<String>,
    pub priority: i64,
    pub version: i64,
    pub code: Option<String>,
}

/// The note is for whoever opened the ticket.
#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Ticket, default = visible)]
pub struct TicketView {
    pub id: i64,
    pub title: String,
    pub stage: i64,
    pub priority: i64,
    #[visible_if(row.opener == viewer.id)]
    pub note: Field<Option<String>>,
}

/// All of it, for what a test looks up.
#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Ticket, default = visible)]
pub struct Whole {
    pub id: i64,
    pub opener: i64,
    pub team: String,
    pub title: String,
    pub stage: i64,
    pub note: Option<String>,
    pub priority: i64,
    pub version: i64,
    pub code: Option<String>,
}

#[derive(Debug, Input, Validate)]
#[input(entity = Ticket)]
#[preset(opener = viewer.id, team = viewer.team.clone())]
#[preset(stage = 0, version = 1)]
pub struct NewTicket {
    #[writable]
    #[garde(length(min = 3, max = 20))]
    pub title: String,
    #[writable_if(viewer.lead || row.priority >= 3)]
    #[garde(inner(range(min = 1, max = 5)))]
    pub priority: Assign<i64>,
    #[writable]
    #[garde(skip)]
    pub note: Assign<Option<String>>,
    #[writable]
    #[serde(rename = "ticketCode")]
    #[garde(inner(inner(length(max = 8))))]
    pub code: Assign<Option<String>>,
}

#[derive(Debug, Patch, Validate)]
#[patch(entity = Ticket, reads = TicketView)]
pub struct EditTicket {
    #[writable]
    #[garde(inner(length(min = 3, max = 20)))]
    pub title: Assign<String>,
    #[writable_if(viewer.lead || row.stage >= before.stage)]
    #[garde(skip)]
    pub stage: Assign<i64>,
    #[writable_if(row.priority <= viewer.limit.unwrap_or(0) || viewer.lead)]
    #[garde(skip)]
    pub priority: Assign<i64>,
    #[writable]
    #[garde(skip)]
    pub note: Assign<Option<String>>,
    #[writable(blind)]
    #[writable_if(viewer.lead)]
    #[garde(skip)]
    pub code: Assign<Option<String>>,
}

const SCHEMA: &str = "
    CREATE TABLE tickets (
        id AUTOKEY, opener INTEGER NOT NULL, team TEXT NOT NULL, title KEYTEXT NOT NULL,
        stage INTEGER NOT NULL, note TEXT, priority INTEGER NOT NULL DEFAULT 3,
        version INTEGER NOT NULL, code KEYTEXT UNIQUE
    );
";

pub fn ticket(id: i64, opener: i64) -> Ticket {
    Ticket {
        id,
        opener,
        team: "red".into(),
        title: format!("ticket {id}"),
        stage: 1,
        note: Some(format!("note {id}")),
        priority: 3,
        version: 1,
        code: Some(format!("code{id}")),
    }
}

/// Tickets 1 and 2 are by 7, ticket 3 is by 8, and 4 is by 7 in another team.
pub async fn desk() -> Directory {
    let directory = empty_directory(SCHEMA).await;
    let access = system();
    let mut elsewhere = ticket(4, 7);
    elsewhere.team = "blue".into();
    let tickets = [ticket(1, 7), ticket(2, 7), ticket(3, 8), elsewhere];
    let writer = directory.db.writer(&access);
    writer.insert_many(tickets).await.unwrap();
    directory
}

/// Opened tickets 1, 2 and 4.
pub fn agent() -> Agent {
    Agent {
        id: 7,
        lead: false,
        team: "red".into(),
        limit: Some(4),
    }
}

pub fn lead() -> Agent {
    Agent {
        id: 1,
        lead: true,
        team: "red".into(),
        limit: None,
    }
}

pub async fn writing<T>(who: Agent, work: impl AsyncFnOnce(Access<Write<Agent>>) -> T) -> T {
    testing::as_viewer(who)
        .scope(async { work(Access::<Write<Agent>>::authenticated().await.unwrap()).await })
        .await
}

pub async fn create(directory: &Directory, who: Agent, body: &str) -> Result<i64> {
    let body = Untrusted::<NewTicket>::json(body);
    writing(who, async |access| {
        let ticket = body.open(&access)?;
        directory.db.writer(&access).create(ticket).execute().await
    })
    .await
}

pub async fn edit(directory: &Directory, who: Agent, id: i64, body: &str) -> Result<TicketView> {
    let body = Untrusted::<EditTicket>::json(body);
    writing(who, async |access| {
        let patch = body.open(&access)?;
        let update = directory.db.writer(&access).update::<Ticket>(id);
        update.patch(patch).returning().await
    })
    .await
}

pub async fn stored(directory: &Directory, id: i64) -> Whole {
    let access = system();
    let query = Whole::select().lookup(Ticket::ID, id);
    directory.db.reader(&access).one(query).await.unwrap()
}

pub async fn all(directory: &Directory) -> Vec<Whole> {
    let access = system();
    let query = Whole::select().order(Whole::ID.asc());
    directory.db.reader(&access).all(query).await.unwrap()
}
