//! The articles of a journal: who may read, write and publish them, and see who wrote them.

use chrono::{DateTime, Utc};
use clearance::input::Assign;
use clearance::{
    Db, Dto, Entity, Field, Input, Patch, Result, Roles, Untrusted, Viewer, repository, rule,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Roles)]
pub(crate) enum Role {
    Reader,
    Author,
    Editor,
}

#[derive(Debug, Clone, Viewer)]
pub(crate) struct Member {
    pub(crate) id: i64,
    pub(crate) role: Role,
    pub(crate) desk: Option<String>,
}

/// What is published is there for everybody; what is not, for its author, its desk and the
/// editors.
#[rule]
fn readable(viewer: &Member, row: &Article, context: &clearance::policy::Context) -> bool {
    row.published_at <= context.now
        || row.author == viewer.id
        || same(viewer.desk, row.desk)
        || viewer.role >= Role::Editor
}

#[derive(Entity)]
#[entity(
    table = "articles",
    viewer = Member,
    read_if(rule = readable),
    create_if(viewer.role >= Role::Author && row.author == viewer.id),
    update_if(row.author == viewer.id || viewer.role >= Role::Editor),
    delete_if(viewer.role >= Role::Editor)
)]
pub(crate) struct Article {
    #[entity(key)]
    pub(crate) id: i64,
    #[entity(lookup)]
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) author: i64,
    pub(crate) author_email: String,
    pub(crate) desk: Option<String>,
    pub(crate) fee: i64,
    pub(crate) published_at: Option<DateTime<Utc>>,
}

#[derive(Entity)]
#[entity(
    table = "sections",
    viewer = Member,
    rows = open,
    reason = "the sections stand on the front page"
)]
pub(crate) struct Section {
    #[entity(key)]
    pub(crate) id: i64,
    pub(crate) name: String,
}

#[derive(Debug, Dto)]
#[dto(entity = Article)]
pub(crate) struct Teaser {
    #[visible]
    pub(crate) title: String,
    #[visible_if(viewer.role >= Role::Editor || row.author == viewer.id)]
    #[dto(mask = domain)]
    pub(crate) author_email: String,
}

#[derive(Debug, Dto)]
#[dto(entity = Article)]
pub(crate) struct Desk {
    #[visible]
    pub(crate) id: i64,
    #[visible]
    pub(crate) title: String,
    #[visible_if(viewer.role >= Role::Editor || row.author == viewer.id)]
    pub(crate) fee: Field<i64>,
    #[visible_if(viewer.role >= Role::Author)]
    pub(crate) author_email: Field<String>,
}

#[derive(Debug, Dto)]
#[dto(entity = Section, default = visible)]
pub(crate) struct SectionName {
    pub(crate) name: String,
}

/// What an author sends of a new article.
#[derive(Debug, Input)]
#[input(entity = Article)]
#[preset(author = viewer.id, desk = viewer.desk.clone(), published_at = None, fee = 0)]
pub(crate) struct NewArticle {
    #[writable]
    pub(crate) slug: String,
    #[writable]
    pub(crate) title: String,
    #[writable]
    #[serde(rename = "contact")]
    pub(crate) author_email: String,
}

/// What may be changed of it, by those who are shown what they change.
#[derive(Debug, Patch)]
#[patch(entity = Article, reads = Desk)]
pub(crate) struct EditArticle {
    #[writable]
    pub(crate) title: Assign<String>,
    #[writable_if(viewer.role >= Role::Editor || row.fee <= before.fee)]
    pub(crate) fee: Assign<i64>,
    // Whoever wrote an article keeps the address right, also as a reader, who is not shown it.
    #[writable(blind)]
    pub(crate) author_email: Assign<String>,
}

pub(crate) struct Articles {
    db: Db,
}

#[repository(viewer = Member)]
impl Articles {
    #[public(access, reason = "the front page is for everybody")]
    pub(crate) async fn front_page(&self) -> Result<Vec<Teaser>> {
        self.db
            .reader(&access)
            .all(Teaser::select().limit(20))
            .await
    }

    #[public(access, reason = "the front page is for everybody")]
    pub(crate) async fn sections(&self) -> Result<Vec<SectionName>> {
        self.db.reader(&access).all(SectionName::select()).await
    }

    #[authorize(access, if viewer.role >= Role::Author)]
    pub(crate) async fn desk(&self) -> Result<Vec<Desk>> {
        self.db.reader(&access).all(Desk::select()).await
    }

    #[authorize(access: Write, if viewer.role >= Role::Author)]
    pub(crate) async fn write(&self, article: Untrusted<NewArticle>) -> Result<i64> {
        let article = article.open(&access)?;
        self.db.writer(&access).create(article).execute().await
    }

    #[authenticated(access: Write)]
    pub(crate) async fn edit(&self, id: i64, changes: Untrusted<EditArticle>) -> Result<Desk> {
        let changes = changes.open(&access)?;
        let update = self.db.writer(&access).update::<Article>(id);
        update.patch(changes).returning().await
    }

    #[authorize(access: Write, if viewer.role >= Role::Editor)]
    pub(crate) async fn withdraw(&self, id: i64) -> Result<()> {
        self.db.writer(&access).delete::<Article>(id).await
    }
}

clearance::app! {
    pub(crate) static APP = {
        viewer: Member,
        dtos: [Teaser, Desk, SectionName],
        inputs: [NewArticle, EditArticle],
        repositories: [Articles],
    };
}
