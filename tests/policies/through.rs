//! Queries that reach through a relation: what they ask is asked of what this viewer could be shown.

use clearance::dto::{Filter, Order};
use clearance::repository::Page;
use clearance::{Access, Db, Dto, Entity, Field, Read, Viewer, testing};

use crate::support::{Directory, empty_directory, execute, system};

#[derive(Debug, Clone, Viewer)]
struct Staff {
    id: i64,
    head: bool,
}

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "teams",
    viewer = Staff,
    has_many(people: Person, by = team_id),
    rows = open,
    reason = "the names of teams are on the doors"
)]
struct Team {
    #[entity(key)]
    id: i64,
    name: String,
}

/// People who have left are for heads.
#[derive(Debug, Clone, Entity)]
#[entity(
    table = "people",
    viewer = Staff,
    belongs_to(team: Team, by = team_id),
    read_if(!row.gone || viewer.head)
)]
struct Person {
    #[entity(key)]
    id: i64,
    team_id: Option<i64>,
    name: String,
    salary: i64,
    gone: bool,
}

/// A salary is for heads and for whoever earns it.
#[derive(Debug, Dto)]
#[dto(entity = Person, default = visible)]
struct PersonView {
    id: i64,
    name: String,
    #[visible_if(viewer.head || row.id == viewer.id)]
    salary: Field<i64>,
    #[dto(related)]
    team: Option<TeamName>,
}

#[derive(Debug, Dto)]
#[dto(entity = Team, default = visible)]
struct TeamName {
    name: String,
}

#[derive(Debug, Dto)]
#[dto(entity = Team, default = visible)]
struct TeamView {
    id: i64,
    #[visible_if(viewer.head || row.id != 3)]
    #[dto(related)]
    people: Field<Vec<PersonView>>,
}

const SCHEMA: &str = "
    CREATE TABLE teams (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE people (
        id INTEGER PRIMARY KEY, team_id INTEGER, name TEXT NOT NULL, salary INTEGER NOT NULL, gone BOOLEAN NOT NULL
    );
";

/// Team 1: the viewer (10), and 11. Team 2: 12, and 13 who has left. Team 3: 14. Team 4: nobody.
async fn company() -> Directory {
    let directory = empty_directory(SCHEMA).await;
    let access = system();
    let writer = directory.db.writer(&access);
    for id in 1..=4 {
        let name = format!("team{id}");
        writer.insert(Team { id, name }).await.unwrap();
    }
    for (id, team_id, salary, gone) in [
        (10, Some(1), 500, false),
        (11, Some(1), 900, false),
        (12, Some(2), 700, false),
        (13, Some(2), 950, true),
        (14, Some(3), 990, false),
        (15, None, 100, false),
    ] {
        let person = Person {
            id,
            team_id,
            name: format!("person{id}"),
            salary,
            gone,
        };
        writer.insert(person).await.unwrap();
    }
    directory
}

fn clerk() -> Staff {
    Staff {
        id: 10,
        head: false,
    }
}

fn head() -> Staff {
    Staff { id: 1, head: true }
}

async fn as_staff<T>(staff: Staff, call: impl AsyncFnOnce(Access<Read<Staff>>) -> T) -> T {
    testing::as_viewer(staff)
        .scope(async { call(Access::<Read<Staff>>::authenticated().await.unwrap()).await })
        .await
}

async fn teams(db: &Db, staff: Staff, filter: Filter<TeamView>) -> Vec<i64> {
    as_staff(staff, async |access| {
        let query = TeamView::select().filter(filter).order(TeamView::ID.asc());
        let rows = db.reader(&access).all(query).await.unwrap();
        rows.iter().map(|row| row.id).collect()
    })
    .await
}

async fn ordered(db: &Db, staff: Staff, order: Order<TeamView>) -> Vec<i64> {
    as_staff(staff, async |access| {
        let query = TeamView::select().order(order);
        let rows = db.reader(&access).all(query).await.unwrap();
        rows.iter().map(|row| row.id).collect()
    })
    .await
}

fn nobody() -> Vec<i64> {
    Vec::new()
}

#[tokio::test]
async fn s8_a_filter_through_a_relation_sees_visible_cells_only() {
    let Directory { db, .. } = &company().await;
    let earns = |amount: i64| TeamView::PEOPLE.exists(PersonView::SALARY.ge(amount));
    // The clerk's own salary is 500, and the others' are none of theirs.
    assert_eq!(teams(db, clerk(), earns(500)).await, [1]);
    assert_eq!(teams(db, clerk(), earns(501)).await, nobody());
    assert_eq!(teams(db, head(), earns(501)).await, [1, 2, 3]);
    // Nor does the opposite tell: of some salary in the team it is not known.
    assert_eq!(teams(db, clerk(), !earns(501)).await, [4]);
    assert_eq!(teams(db, head(), !earns(951)).await, [1, 2, 4]);
}

#[tokio::test]
async fn s8_a_related_row_that_may_not_be_read_does_not_count() {
    let Directory { db, .. } = &company().await;
    let named = || TeamView::PEOPLE.exists(PersonView::NAME.eq("person13"));
    assert_eq!(teams(db, clerk(), named()).await, nobody());
    assert_eq!(teams(db, head(), named()).await, [2]);
    // For all the clerk can see there is nobody of that name in any team but the one whose
    // people are hidden altogether.
    assert_eq!(teams(db, clerk(), !named()).await, [1, 2, 4]);
    assert_eq!(teams(db, head(), !named()).await, [1, 3, 4]);
}

#[tokio::test]
async fn r11_a_hidden_relation_fulfils_no_condition() {
    let Directory { db, .. } = &company().await;
    let empty = || TeamView::PEOPLE.is_empty();
    assert_eq!(teams(db, clerk(), empty()).await, [4]);
    assert_eq!(teams(db, clerk(), !empty()).await, [1, 2]);
    assert_eq!(teams(db, head(), !empty()).await, [1, 2, 3]);
    let all = || TeamView::PEOPLE.all(PersonView::ID.lt(12));
    assert_eq!(teams(db, clerk(), all()).await, [1, 4]);
    assert_eq!(teams(db, clerk(), !all()).await, [2]);
}

/// People again, as the files that only heads may open.
#[derive(Debug, Clone, Entity)]
#[entity(table = "people", viewer = Staff, read_if(viewer.head))]
struct File {
    #[entity(key)]
    id: i64,
    team_id: Option<i64>,
}

#[derive(Debug, Dto)]
#[dto(entity = File, default = visible)]
struct FileView {
    id: i64,
}

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "teams",
    viewer = Staff,
    has_many(files: File, by = team_id),
    rows = open,
    reason = "the names of teams are on the doors"
)]
struct Shelf {
    #[entity(key)]
    id: i64,
}

#[derive(Debug, Dto)]
#[dto(entity = Shelf, default = visible)]
struct ShelfView {
    id: i64,
    #[dto(related)]
    files: Vec<FileView>,
}

#[tokio::test]
async fn n4_s8_rows_that_may_never_be_read_are_none_to_any_condition() {
    let Directory { db, .. } = &company().await;
    let shelves = async |staff: Staff, filter: Filter<ShelfView>| {
        as_staff(staff, async |access| {
            let query = ShelfView::select().filter(filter);
            let query = query.order(ShelfView::ID.asc());
            let rows = db.reader(&access).all(query).await.unwrap();
            rows.iter().map(|row| row.id).collect::<Vec<_>>()
        })
        .await
    };
    let low = || FileView::ID.lt(12);
    assert_eq!(
        shelves(clerk(), ShelfView::FILES.exists(low())).await,
        nobody()
    );
    assert_eq!(shelves(head(), ShelfView::FILES.exists(low())).await, [1]);
    assert_eq!(
        shelves(clerk(), ShelfView::FILES.all(low())).await,
        [1, 2, 3, 4]
    );
    assert_eq!(shelves(head(), ShelfView::FILES.all(low())).await, [1, 4]);
}

#[tokio::test]
async fn n5_through_a_relation_to_one_a_missing_row_is_unknown() {
    let Directory { db, .. } = &company().await;
    let people = async |filter: Filter<PersonView>| {
        as_staff(clerk(), async |access| {
            let query = PersonView::select()
                .filter(filter)
                .order(PersonView::ID.asc());
            let rows = db.reader(&access).all(query).await.unwrap();
            rows.iter().map(|row| row.id).collect::<Vec<_>>()
        })
        .await
    };
    let named = || PersonView::TEAM.exists(TeamName::NAME.eq("team1"));
    assert_eq!(people(named()).await, [10, 11]);
    // Person 15 has no team.
    assert_eq!(people(!named()).await, [12, 14]);
}

#[tokio::test]
async fn s4_an_order_by_an_aggregate_over_a_relation_uses_visible_cells_only() {
    let Directory { db, pool, .. } = &company().await;
    let most = || TeamView::PEOPLE.max(PersonView::SALARY);
    assert_eq!(ordered(db, head(), most().desc()).await, [3, 2, 1, 4]);
    assert_eq!(ordered(db, head(), most().asc()).await, [1, 2, 3, 4]);
    // Of the clerk's salaries there is one.
    assert_eq!(ordered(db, clerk(), most().desc()).await, [1, 2, 3, 4]);
    assert_eq!(ordered(db, clerk(), most().asc()).await, [1, 2, 3, 4]);
    // Two databases that differ in hidden salaries only give the same order.
    execute(
        pool,
        "UPDATE people SET salary = 2000 - salary WHERE id > 10",
    )
    .await;
    assert_eq!(ordered(db, clerk(), most().desc()).await, [1, 2, 3, 4]);
    assert_ne!(ordered(db, head(), most().desc()).await, [3, 2, 1, 4]);
}

#[tokio::test]
async fn s4_a_number_of_related_rows_counts_those_that_may_be_read() {
    let Directory { db, .. } = &company().await;
    let count = TeamView::PEOPLE.count();
    assert_eq!(ordered(db, head(), count.desc()).await, [1, 2, 3, 4]);
    // Team 3 is hidden: it comes last whichever way is asked.
    assert_eq!(ordered(db, clerk(), count.desc()).await, [1, 2, 4, 3]);
    assert_eq!(ordered(db, clerk(), count.asc()).await, [4, 2, 1, 3]);
}

#[tokio::test]
async fn s10_pages_in_an_order_over_a_relation_neither_skip_nor_repeat() {
    let Directory { db, .. } = &company().await;
    for staff in [clerk(), head()] {
        for order in [
            TeamView::PEOPLE.count().desc(),
            TeamView::PEOPLE.max(PersonView::SALARY).asc(),
            TeamView::PEOPLE.min(PersonView::NAME).desc(),
        ] {
            let whole = ordered(db, staff.clone(), order).await;
            let paged = as_staff(staff.clone(), async |access| {
                let reader = db.reader(&access);
                let mut ids = Vec::new();
                let mut page = Page::first(1);
                loop {
                    let slice = reader
                        .page(TeamView::select().order(order), page)
                        .await
                        .unwrap();
                    ids.extend(slice.rows.iter().map(|row| row.id));
                    match slice.next {
                        Some(cursor) => page = Page::after(1, &cursor),
                        None => return ids,
                    }
                }
            })
            .await;
            assert_eq!(paged, whole);
        }
    }
}

#[tokio::test]
async fn s15_refuse_mode_reaches_through_the_relation() {
    let Directory { db, .. } = &company().await;
    let refused = async |staff: Staff, filter: Filter<TeamView>| {
        as_staff(staff, async |access| {
            let query = TeamView::select().refuse_hidden().filter(filter);
            db.reader(&access).all(query).await
        })
        .await
    };
    let earns = || TeamView::PEOPLE.exists(PersonView::SALARY.ge(1));
    let error = refused(clerk(), earns()).await.unwrap_err();
    assert!(error.is_invalid(), "{error}");
    assert_eq!(refused(head(), earns()).await.unwrap().len(), 3);
    let either = TeamView::ID.eq(1).or(earns());
    assert!(refused(clerk(), either).await.unwrap_err().is_invalid());
}

#[tokio::test]
async fn p13_the_lowest_of_what_has_no_order_is_a_misuse() {
    #[derive(Debug, Dto)]
    #[dto(entity = Person, default = visible)]
    struct Leaving {
        gone: bool,
    }
    #[derive(Debug, Dto)]
    #[dto(entity = Team, default = visible)]
    struct TeamOfLeaving {
        #[dto(related)]
        people: Vec<Leaving>,
    }
    let Directory { db, .. } = &company().await;
    let error = as_staff(head(), async |access| {
        let order = TeamOfLeaving::PEOPLE.max(Leaving::GONE.untyped()).asc();
        let query = TeamOfLeaving::select().order(order);
        db.reader(&access).all(query).await
    })
    .await
    .unwrap_err();
    assert!(error.is_misuse(), "{error}");
}
