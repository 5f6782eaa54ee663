//! A tenant is stated once, and no query, write or answer crosses it.

use clearance::{Access, Db, Dto, Entity, Read, Viewer, Write, testing};
use clearance_matrix::Matrix;

use crate::support::{Directory, empty_directory, public, system};

#[derive(Debug, Clone, Viewer)]
struct Clerk {
    id: i64,
    company: i64,
}

/// Every row is open, within the company.
#[derive(Debug, Clone, Entity)]
#[entity(
    table = "invoices",
    viewer = Clerk,
    tenant_if(row.company == viewer.company),
    has_many(lines: Line, by = invoice_id),
    rows = open,
    reason = "everybody of the company sees its invoices",
    create_if(true),
    update_if(true),
    delete_if(exists(row.lines, |line| line.cents == 0))
)]
struct Invoice {
    #[entity(key)]
    id: i64,
    #[entity(lookup)]
    number: String,
    company: i64,
}

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "invoice_lines",
    viewer = Clerk,
    tenant_if(row.company == viewer.company),
    read_if(row.cents < 1_000),
    create_if(true)
)]
struct Line {
    #[entity(key)]
    id: i64,
    invoice_id: i64,
    company: i64,
    cents: i64,
}

#[derive(Debug, Dto)]
#[dto(entity = Invoice, default = visible)]
struct InvoiceView {
    id: i64,
    number: String,
}

#[derive(Debug, Dto)]
#[dto(entity = Line, default = visible)]
struct LineView {
    id: i64,
    cents: i64,
}

const SCHEMA: &str = "
    CREATE TABLE invoices (id INTEGER PRIMARY KEY, number TEXT NOT NULL, company INTEGER NOT NULL);
    CREATE TABLE invoice_lines (
        id INTEGER PRIMARY KEY, invoice_id INTEGER NOT NULL, company INTEGER NOT NULL, cents INTEGER NOT NULL
    );
";

/// The same two invoices, and the same lines, in each of two companies.
async fn companies() -> Directory {
    let directory = empty_directory(SCHEMA).await;
    let access = system();
    let writer = directory.db.writer(&access);
    for company in [1, 2] {
        for number in [1, 2] {
            let id = company * 10 + number;
            writer
                .insert(Invoice {
                    id,
                    number: format!("A-{number}"),
                    company,
                })
                .await
                .unwrap();
            for (offset, cents) in [(0, 0), (1, 500), (2, 5_000)] {
                writer
                    .insert(Line {
                        id: id * 10 + offset,
                        invoice_id: id,
                        company,
                        cents,
                    })
                    .await
                    .unwrap();
            }
        }
    }
    directory
}

async fn as_clerk<T>(company: i64, call: impl Future<Output = T>) -> T {
    let clerk = Clerk { id: 1, company };
    testing::as_viewer(clerk).scope(call).await
}

async fn reading() -> Access<Read<Clerk>> {
    Access::<Read<Clerk>>::authenticated().await.unwrap()
}

async fn writing() -> Access<Write<Clerk>> {
    Access::<Write<Clerk>>::authenticated().await.unwrap()
}

async fn invoices(db: &Db, company: i64) -> Vec<i64> {
    as_clerk(company, async {
        let access = reading().await;
        let query = InvoiceView::select().order(InvoiceView::ID.asc());
        let rows = db.reader(&access).all(query).await.unwrap();
        rows.iter().map(|row| row.id).collect()
    })
    .await
}

#[tokio::test]
async fn x13_asvs_8_4_1_each_tenant_reads_its_own_rows() {
    let Directory { db, .. } = &companies().await;
    assert_eq!(invoices(db, 1).await, [11, 12]);
    assert_eq!(invoices(db, 2).await, [21, 22]);
    assert!(invoices(db, 3).await.is_empty());
}

#[tokio::test]
async fn x13_asvs_8_4_1_the_tenant_stands_beside_the_other_rules() {
    let Directory { db, .. } = &companies().await;
    as_clerk(1, async {
        let access = reading().await;
        let query = LineView::select().order(LineView::ID.asc());
        let rows = db.reader(&access).all(query).await.unwrap();
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        assert_eq!(ids, [110, 111, 120, 121]);
        assert!(rows.iter().all(|row| row.cents < 1_000));
    })
    .await;
}

#[tokio::test]
async fn x13_asvs_8_4_1_a_lookup_finds_the_own_row_of_that_name() {
    let Directory { db, .. } = &companies().await;
    for company in [1, 2] {
        as_clerk(company, async {
            let access = reading().await;
            let reader = db.reader(&access);
            let query = InvoiceView::select().lookup(Invoice::NUMBER, "A-2");
            assert_eq!(reader.one(query).await.unwrap().id, company * 10 + 2);
            let other = (3 - company) * 10 + 1;
            let query = InvoiceView::select().lookup(Invoice::ID, other);
            assert!(reader.one(query).await.unwrap_err().is_not_found());
            let filter = InvoiceView::ID.eq(other).or(InvoiceView::NUMBER.eq("A-9"));
            let query = InvoiceView::select().filter(!filter);
            assert_eq!(reader.all(query).await.unwrap().len(), 2);
        })
        .await;
    }
}

#[tokio::test]
async fn x13_asvs_8_4_1_a_row_of_another_tenant_is_not_there_even_where_403_is_chosen() {
    let Directory { db, .. } = &companies().await;
    as_clerk(1, async {
        let access = writing().await;
        let writer = db.writer(&access);
        let open = |id: i64| {
            LineView::select()
                .lookup(Line::ID, id)
                .forbidden_if_denied()
        };
        // A line of the own company that its rule denies is told, that of another one is not.
        assert!(writer.one(open(112)).await.unwrap_err().is_forbidden());
        assert!(writer.one(open(212)).await.unwrap_err().is_not_found());
        assert!(writer.one(open(999)).await.unwrap_err().is_not_found());
        let update = writer
            .update::<Invoice>(21)
            .set(Invoice::NUMBER, "B-1")
            .forbidden_if_denied();
        assert!(update.execute().await.unwrap_err().is_not_found());
    })
    .await;
}

#[tokio::test]
async fn x13_asvs_8_4_1_a_write_stays_within_the_tenant() {
    let Directory { db, .. } = &companies().await;
    as_clerk(1, async {
        let access = writing().await;
        let writer = db.writer(&access);
        let foreign = Invoice {
            id: 30,
            number: "A-3".into(),
            company: 2,
        };
        assert!(writer.insert(foreign).await.unwrap_err().is_forbidden());
        let update = writer.update::<Invoice>(21).set(Invoice::NUMBER, "B-1");
        assert!(update.execute().await.unwrap_err().is_not_found());
        assert!(
            writer
                .delete::<Invoice>(21)
                .await
                .unwrap_err()
                .is_not_found()
        );
        let update = writer.update::<Invoice>(11).set(Invoice::NUMBER, "B-1");
        update.execute().await.unwrap();
        writer.delete::<Invoice>(12).await.unwrap();
    })
    .await;
    assert_eq!(invoices(db, 2).await, [21, 22]);
    assert_eq!(invoices(db, 1).await, [11]);
}

#[tokio::test]
async fn x13_asvs_8_4_1_nobody_belongs_to_no_tenant() {
    let Directory { db, .. } = &companies().await;
    testing::as_nobody()
        .scope(async {
            let access = public();
            let rows = db.reader(&access).all(InvoiceView::select()).await.unwrap();
            assert!(rows.is_empty());
            let told = InvoiceView::select()
                .lookup(Invoice::ID, 11)
                .forbidden_if_denied();
            assert!(
                db.reader(&access)
                    .one(told)
                    .await
                    .unwrap_err()
                    .is_not_found()
            );
        })
        .await;
}

#[tokio::test]
async fn x13_asvs_8_4_1_rows_in_memory_are_held_against_the_tenant_too() {
    let rows = [1, 2].map(|company| Line {
        id: company,
        invoice_id: 1,
        company,
        cents: 1,
    });
    as_clerk(2, async {
        let access = reading().await;
        let shown = access.project::<LineView>(rows).await.unwrap();
        assert_eq!(shown.iter().map(|row| row.id).collect::<Vec<_>>(), [2]);
    })
    .await;
}

/// An invoice with what reviewers must see: what is joined, and what is made of which columns.
#[derive(Debug, Dto)]
#[dto(entity = Invoice, default = visible)]
struct Sheet {
    id: i64,
    #[visible_if(viewer.id == row.id)]
    number: clearance::Field<String>,
    #[dto(computed = shout, from(number))]
    title: clearance::Field<String>,
    #[dto(related)]
    lines: Vec<LineView>,
}

fn shout(number: &str) -> String {
    number.to_uppercase()
}

clearance::app! {
    static APP = { viewer: Clerk, dtos: [Sheet, LineView], repositories: [] };
}

#[test]
fn x7_x13_the_matrix_lists_tenants_relations_and_what_fields_are_made_of() {
    let matrix = Matrix::of(&APP).build().unwrap();
    let json: serde_json::Value = serde_json::from_str(&matrix.to_json().unwrap()).unwrap();
    let invoice = &json["entities"][0];
    let read = &invoice["operations"][0];
    assert_eq!(read["stated"], "open");
    assert_eq!(read["rules"][0]["text"], "row.company == viewer.company");
    assert_eq!(
        invoice["relations"],
        serde_json::json!([{
            "relation": "lines",
            "leads_to": "any number",
            "entity": "Line",
            "on": [{ "theirs": "invoice_id", "own": "id" }],
        }])
    );
    let fields = &json["dtos"][0]["fields"];
    assert_eq!(
        fields[2]["made_of"],
        serde_json::json!({ "computed": { "function": "shout", "from": ["number"] } })
    );
    assert_eq!(fields[2]["hidden_with"], serde_json::json!(["number"]));
    assert_eq!(
        fields[3]["made_of"],
        serde_json::json!({ "related": { "relation": "lines", "shown_as": "LineView" } })
    );

    let markdown = matrix.to_markdown();
    for line in [
        "| read | open: everybody of the company sees its invoices<br>but `row.company == viewer.company`",
        "| `lines` | any number of `Line` | `Line.invoice_id = row.id` |",
        "| `title`<br>`shout` of `number` | hidden with `number` |",
        "| `lines`<br>rows of `lines` as `LineView` | visible |",
    ] {
        assert!(markdown.contains(line), "{line}\n{markdown}");
    }
    let page = matrix.to_html();
    for part in [
        "any number of <code>Line</code></td><td><code>Line.invoice_id = row.id</code>",
        "<br><code>shout</code> of <code>number</code>",
    ] {
        assert!(page.contains(part), "{part}");
    }
}
