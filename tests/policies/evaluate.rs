//! The plain evaluator, over rows in memory.

use std::collections::{BTreeSet, HashSet};

use clearance::entity::Relation;
use clearance::policy::{
    Cell, Columns, Context, Decision, Expr, Op, Operand, Relatives, Residual, Rule, Source, Truth,
    decide, evaluate, evaluate_update, evaluate_with,
};
use clearance::{Entity, Viewer, rule};

use crate::blog::{Account, Comment, Post, Reader, account, comment, post, reader};

fn context() -> Context {
    Context::new("2026-01-01T00:00:00Z".parse().unwrap())
}

#[rule]
fn on_a_post_of_the_viewer(viewer: &Reader, row: &Comment) -> bool {
    exists(row.post, |post| {
        exists(post.author, |author| author.id == viewer.id)
    })
}

#[rule]
fn on_the_second_post(viewer: &Reader, row: &Comment) -> bool {
    exists(row.post, |post| post.title == "post2" && viewer.id > 0)
}

#[rule]
fn uncommented(viewer: &Reader, row: &Post) -> bool {
    !exists(row.comments, |comment| comment.id > 0)
}

/// One post with its author and its comments.
struct Blog {
    author: Account,
    post: Post,
    comments: Vec<Comment>,
}

impl Relatives for Blog {
    fn of<'a>(&'a self, relation: &Relation, _: &dyn Columns) -> Option<Vec<&'a dyn Columns>> {
        match relation.name() {
            "post" => Some(vec![&self.post]),
            "author" => Some(vec![&self.author]),
            "comments" => Some(self.comments.iter().map(|row| row as _).collect()),
            _ => None,
        }
    }
}

#[test]
fn r3_a_rule_is_evaluated_over_rows_two_relations_away() {
    let blog = Blog {
        author: account(7, None),
        post: post(2, Some(7), None),
        comments: vec![comment(1, 2, None, None)],
    };
    let truth = |viewer: i64| {
        let (rule, row) = (on_a_post_of_the_viewer(), &blog.comments[0]);
        evaluate_with(&rule, Some(&reader(viewer, None)), row, &context(), &blog).unwrap()
    };
    assert_eq!(truth(7), Truth::True);
    assert_eq!(truth(8), Truth::False);
    // A field that only the related row has.
    let (rule, row) = (on_the_second_post(), &blog.comments[0]);
    let truth = evaluate_with(&rule, Some(&reader(7, None)), row, &context(), &blog);
    assert_eq!(truth, Ok(Truth::True));
}

#[test]
fn r3_what_a_rule_says_of_related_rows_is_unknown_where_none_are_at_hand() {
    let viewer = reader(7, None);
    let row = post(2, Some(7), None);
    let alone = evaluate(&uncommented(), Some(&viewer), &row, &context());
    assert_eq!(alone, Ok(Truth::Unknown));

    let mut blog = Blog {
        author: account(7, None),
        post: row.clone(),
        comments: Vec::new(),
    };
    let truth =
        |blog: &Blog| evaluate_with(&uncommented(), Some(&viewer), &row, &context(), blog).unwrap();
    assert_eq!(truth(&blog), Truth::True);
    blog.comments.push(comment(1, 2, None, None));
    assert_eq!(truth(&blog), Truth::False);
}

#[test]
fn p8_a_function_of_the_row_is_not_asked_of_a_related_one() {
    let rule = Rule::__new(
        Source::__new("by hand", file!(), line!()),
        Expr::Related {
            relation: "comments",
            condition: Box::new(Expr::Opaque(0)),
        },
        Vec::new(),
        vec![|_: &Reader, _: &Post, _: &Context| true],
    );
    let blog = Blog {
        author: account(7, None),
        post: post(2, Some(7), None),
        comments: vec![comment(1, 2, None, None)],
    };
    let viewer = reader(7, None);
    let truth = evaluate_with(&rule, Some(&viewer), &blog.post, &context(), &blog);
    assert!(truth.is_err(), "{truth:?}");
}

#[test]
fn w12_what_a_row_was_is_another_operand_than_what_it_will_be() {
    let renamed = Rule::<Reader, Post>::__new(
        Source::__new("by hand", file!(), line!()),
        Expr::Compare {
            op: Op::Ne,
            left: Operand::Field("before.title"),
            right: Operand::Field("title"),
        },
        Vec::new(),
        Vec::new(),
    );
    let (one, other) = (post(1, None, None), post(2, None, None));
    let truth = |before, after| evaluate_update(&renamed, None, before, after, &context());
    assert_eq!(truth(&one, &other), Ok(Truth::True));
    assert_eq!(truth(&one, &one), Ok(Truth::False));
    // Of one row alone nothing is known of what it was.
    assert!(evaluate(&renamed, None, &one, &context()).is_err());
}

#[derive(Debug, Clone, Viewer)]
struct Holder {
    id: i64,
    hashed: HashSet<i64>,
    sorted: BTreeSet<i64>,
    fixed: [i64; 2],
    borrowed: &'static [i64],
}

#[derive(Debug, Clone, Entity)]
#[entity(table = "things", viewer = Holder, rows = open, reason = "rules are evaluated by themselves")]
struct Thing {
    #[entity(key)]
    id: i64,
}

#[rule]
fn hashed(viewer: &Holder, row: &Thing) -> bool {
    viewer.hashed.contains(&row.id)
}

#[rule]
fn sorted(viewer: &Holder, row: &Thing) -> bool {
    viewer.sorted.contains(&row.id)
}

#[rule]
fn fixed(viewer: &Holder, row: &Thing) -> bool {
    viewer.fixed.contains(&row.id)
}

#[rule]
fn borrowed(viewer: &Holder, row: &Thing) -> bool {
    viewer.borrowed.contains(&row.id)
}

#[test]
fn n14_every_collection_of_the_viewer_can_be_looked_through() {
    let holder = Holder {
        id: 1,
        hashed: HashSet::from([3, 5]),
        sorted: BTreeSet::from([3, 5]),
        fixed: [3, 5],
        borrowed: &[3, 5],
    };
    for rule in [hashed(), sorted(), fixed(), borrowed()] {
        let truth = |id| evaluate(&rule, Some(&holder), &Thing { id }, &context()).unwrap();
        let text = rule.source().text;
        assert_eq!(truth(3), Truth::True, "{text}");
        assert_eq!(truth(5), Truth::True, "{text}");
        assert_eq!(truth(4), Truth::False, "{text}");
    }
}

#[rule]
fn hashed_or_sorted(viewer: &Holder, row: &Thing) -> bool {
    viewer.hashed.contains(&row.id) || viewer.sorted.contains(&row.id)
}

#[test]
fn p3_what_is_left_of_a_rule_stands_by_itself_where_it_is_one_condition() {
    let holder = |hashed: &[i64], sorted: &[i64]| Holder {
        id: 1,
        hashed: hashed.iter().copied().collect(),
        sorted: sorted.iter().copied().collect(),
        fixed: [3, 5],
        borrowed: &[3],
    };
    let left = |rules: &[Rule<Holder, Thing>], holder: &Holder| match decide(
        rules,
        Some(holder),
        &context(),
    ) {
        Decision::Depends(residual) => residual,
        other => panic!("{other:?}"),
    };
    let alone = |residual| matches!(residual, Residual::Among { column: 0, .. });
    let rules = || [hashed_or_sorted()];
    assert!(alone(left(&rules(), &holder(&[3], &[]))));
    assert!(alone(left(&[hashed(), fixed()][..1], &holder(&[3], &[]))));
    let both = left(&rules(), &holder(&[3], &[5]));
    assert!(matches!(both, Residual::Any(parts) if parts.len() == 2));
    assert_eq!(
        decide(&rules(), Some(&holder(&[], &[])), &context()),
        Decision::Deny
    );
}

#[test]
fn a_row_gives_its_columns_by_their_place() {
    assert_eq!(Columns::cell(&Thing { id: 4 }, 0), Cell::Int(4));
}

#[test]
fn a_rule_is_shown_by_its_text_and_a_place_keeps_what_leads_out_of_its_folder() {
    assert!(format!("{:?}", hashed()).contains("viewer.hashed.contains(&row.id)"));
    let place = |file| Source::__new("a rule", file, 3).place();
    assert_eq!(place("../../shared/./rules.rs"), "../../shared/rules.rs:3");
    assert_eq!(
        place("tests/policies/../support/rules.rs"),
        "tests/support/rules.rs:3"
    );
}
