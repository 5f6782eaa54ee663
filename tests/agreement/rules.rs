//! Random rules, of every node and operator, to a depth of six.

use clearance::__private::{Computed, RuleInput, list, value};
use clearance::Entity;
use clearance::policy::{Context, Expr, Op, Operand, Rule, Source};
use proptest::prelude::*;

use crate::sample::Probe;

/// A rule in the making; it is built anew for each use, because a rule cannot be copied.
#[derive(Debug, Clone)]
pub struct RuleSpec(Expr);

impl RuleSpec {
    pub fn rule<E: Entity<Viewer = Probe>>(&self) -> Rule<Probe, E> {
        let source = Source::__new("a random rule", file!(), line!());
        Rule::__new(source, self.0.clone(), inputs(), Vec::new())
    }

    /// A rule that allows what either of the two does.
    pub fn or(self, other: Self) -> Self {
        Self(Expr::Any(vec![self.0, other.0]))
    }

    /// The rule with what it says of related rows said of the row itself.
    pub fn of_one_row(self) -> Self {
        Self(of_one_row(&self.0))
    }

    /// The rule with some of its fields taken from the row as it was before an update: those
    /// whose bit is set, in the order in which they stand.
    pub fn with_before(self, mut bits: u32) -> Self {
        let mut expr = self.0;
        for_each_field(&mut expr, &mut |field| {
            if bits & 1 == 1 {
                *field = before(field);
            }
            bits = bits.rotate_right(1);
        });
        Self(expr)
    }
}

fn of_one_row(expr: &Expr) -> Expr {
    let each = |parts: &[Expr]| parts.iter().map(of_one_row).collect();
    match expr {
        Expr::Related { condition, .. } => of_one_row(condition),
        Expr::Not(inner) => Expr::Not(Box::new(of_one_row(inner))),
        Expr::All(parts) => Expr::All(each(parts)),
        Expr::Any(parts) => Expr::Any(each(parts)),
        leaf => leaf.clone(),
    }
}

fn for_each_field(expr: &mut Expr, change: &mut impl FnMut(&mut &'static str)) {
    match expr {
        Expr::Flag(field)
        | Expr::IsSome(field)
        | Expr::IsNone(field)
        | Expr::Contains { field, .. } => change(field),
        Expr::Compare { left, right, .. } => {
            for operand in [left, right] {
                if let Operand::Field(field) = operand {
                    change(field);
                }
            }
        }
        Expr::Not(inner) => for_each_field(inner, change),
        Expr::All(parts) | Expr::Any(parts) => {
            for part in parts {
                for_each_field(part, change);
            }
        }
        Expr::Free(_) | Expr::Opaque(_) => {}
        Expr::Related { .. } => unreachable!("only rules of one row compare it with what it was"),
    }
}

fn before(field: &str) -> &'static str {
    match field {
        "plain" => "before.plain",
        "nocase" => "before.nocase",
        "rtrim" => "before.rtrim",
        "text" => "before.text",
        "number" => "before.number",
        "count" => "before.count",
        "maybe" => "before.maybe",
        "sure" => "before.sure",
        "instant" => "before.instant",
        "uuid" => "before.uuid",
        "status" => "before.status",
        "rank" => "before.rank",
        other => panic!("no rule names `{other}`"),
    }
}

fn text<const N: usize>(viewer: &Probe, _: &Context) -> Computed {
    value(&viewer.texts[N]).computed()
}

fn number<const N: usize>(viewer: &Probe, _: &Context) -> Computed {
    value(&viewer.numbers[N]).computed()
}

fn instant<const N: usize>(viewer: &Probe, _: &Context) -> Computed {
    value(&viewer.instants[N]).computed()
}

fn uuid<const N: usize>(viewer: &Probe, _: &Context) -> Computed {
    value(&viewer.uuids[N]).computed()
}

/// The inputs that every random rule can name, by index.
fn inputs() -> Vec<RuleInput<Probe>> {
    vec![
        RuleInput::viewer_flag(|viewer, _| viewer.flags[0]),
        RuleInput::viewer_flag(|viewer, _| viewer.flags[1]),
        RuleInput::free_flag(|_| true),
        RuleInput::free_flag(|_| false),
        RuleInput::viewer_value(text::<0>),
        RuleInput::viewer_value(text::<1>),
        RuleInput::viewer_value(text::<2>),
        RuleInput::free_value(|_| value("a").computed()),
        RuleInput::viewer_value(number::<0>),
        RuleInput::viewer_value(number::<1>),
        RuleInput::viewer_value(number::<2>),
        RuleInput::free_value(|_| value(&1).computed()),
        RuleInput::viewer_value(instant::<0>),
        RuleInput::viewer_value(instant::<1>),
        RuleInput::free_value(|context| value(&context.now).computed()),
        RuleInput::viewer_value(uuid::<0>),
        RuleInput::viewer_value(uuid::<1>),
        RuleInput::viewer_value(|viewer, _| value(&viewer.status).computed()),
        RuleInput::viewer_value(|viewer, _| value(&viewer.rank).computed()),
        RuleInput::viewer_list(|viewer, _| list(&viewer.text_list).computed()),
        RuleInput::free_list(|_| list(&["a", "A", ""]).computed()),
        RuleInput::viewer_list(|viewer, _| list(&viewer.number_list).computed()),
        RuleInput::viewer_list(|viewer, _| list(&viewer.status_list).computed()),
    ]
}

const TEXT_FIELDS: [&str; 4] = ["plain", "nocase", "rtrim", "text"];
const NUMBER_FIELDS: [&str; 2] = ["number", "count"];

fn any_op() -> impl Strategy<Value = Op> {
    proptest::sample::select(vec![Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge])
}

fn equality() -> impl Strategy<Value = Op> {
    proptest::sample::select(vec![Op::Eq, Op::Ne])
}

fn field(fields: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(fields)
}

/// A field on one side, on either, or on both.
fn comparison(
    op: impl Strategy<Value = Op>,
    fields: &'static [&'static str],
    inputs: std::ops::Range<usize>,
) -> impl Strategy<Value = Expr> {
    (op, field(fields), field(fields), inputs, 0..3_u8).prop_map(|(op, one, other, input, form)| {
        let (left, right) = match form {
            0 => (Operand::Field(one), Operand::Input(input)),
            1 => (Operand::Input(input), Operand::Field(one)),
            _ => (Operand::Field(one), Operand::Field(other)),
        };
        Expr::Compare { op, left, right }
    })
}

fn contains(
    fields: &'static [&'static str],
    lists: std::ops::Range<usize>,
) -> impl Strategy<Value = Expr> {
    (field(fields), lists).prop_map(|(field, list)| Expr::Contains { list, field })
}

fn atom() -> impl Strategy<Value = Expr> {
    const NULLABLE: &[&str] = &[
        "plain", "nocase", "rtrim", "number", "maybe", "instant", "uuid", "status",
    ];
    prop_oneof![
        1 => (0..4_usize).prop_map(Expr::Free),
        1 => field(&["maybe", "sure"]).prop_map(Expr::Flag),
        4 => comparison(any_op(), &TEXT_FIELDS, 4..8),
        3 => comparison(any_op(), &NUMBER_FIELDS, 8..12),
        1 => comparison(any_op(), &["instant"], 12..15),
        1 => comparison(equality(), &["uuid"], 15..17),
        1 => comparison(equality(), &["status"], 17..18),
        1 => comparison(any_op(), &["rank"], 18..19),
        1 => field(NULLABLE).prop_map(Expr::IsSome),
        1 => field(NULLABLE).prop_map(Expr::IsNone),
        1 => contains(&TEXT_FIELDS, 19..21),
        1 => contains(&NUMBER_FIELDS, 21..22),
        1 => contains(&["status"], 22..23),
    ]
}

pub fn rule_spec() -> impl Strategy<Value = RuleSpec> {
    atom()
        .prop_recursive(6, 24, 3, |inner| {
            prop_oneof![
                2 => inner.clone().prop_map(|expr| Expr::Not(Box::new(expr))),
                2 => proptest::collection::vec(inner.clone(), 1..4).prop_map(Expr::All),
                2 => proptest::collection::vec(inner.clone(), 1..4).prop_map(Expr::Any),
                1 => (field(&["parent", "children"]), inner).prop_map(|(relation, condition)| {
                    Expr::Related { relation, condition: Box::new(condition) }
                }),
            ]
        })
        .prop_map(RuleSpec)
}
