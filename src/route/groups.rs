//! Groups of an identity provider, and who passes for being in them.

use std::collections::HashSet;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::token::ClaimValue;
use crate::token::SessionClaims;

/// That somebody is in a group, as an identity provider tells of it: the group has an id, and perhaps a name for people.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Membership {
    id: String,
    name: Option<String>,
}

impl Membership {
    /// In the group of this id.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: None,
        }
    }

    /// The same under a name, too.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The id of the group.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name of the group, where it has one beside the id.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Text, or an object with an `id` and perhaps a `name`.
    fn from_json(value: &Value) -> Option<Self> {
        let text = |value: &Value| {
            let text = value.as_str().filter(|text| !text.is_empty());
            text.map(str::to_owned)
        };
        let Value::Object(members) = value else {
            return text(value).map(Self::new);
        };
        let id = text(members.get("id")?)?;
        let name = match members.get("name") {
            None | Some(Value::Null) => None,
            Some(name) => Some(text(name)?),
        };
        Some(Self { id, name })
    }
}

impl From<&str> for Membership {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

impl From<String> for Membership {
    fn from(id: String) -> Self {
        Self::new(id)
    }
}

/// The groups that a viewer is in.
///
/// At sign-in an application takes them from the claim of its identity provider and notes them in
/// the session. [`Verified::groups`](crate::Verified::groups) has them from then on, and a
/// [`GroupRule`] decides by them. They stay as they were noted until the next sign-in: what must hold
/// sooner belongs to the viewer, which is loaded anew.
///
/// # Example
///
/// ```
/// use clearance::route::{GroupKey, GroupRule, Groups};
/// use clearance::session::SignIn;
/// use clearance::Subject;
///
/// // As the identity provider sent it.
/// let claim = serde_json::json!(["press", { "id": "g-17", "name": "Research" }]);
/// let groups = Groups::from_json(&claim)?;
/// let sign_in = SignIn::new(Subject::new("ada")).claim("groups", groups.to_claim())?;
/// # let _ = sign_in;
///
/// assert!(GroupRule::any_of(["g-17", "g-4"])?.allows(&groups));
/// assert!(GroupRule::all_of(["g-17", "press"])?.allows(&groups));
/// assert!(!GroupRule::any_of(["Research"])?.allows(&groups), "there is no such id");
/// assert!(GroupRule::any_of([GroupKey::name("Research")])?.allows(&groups));
/// # Ok::<(), clearance::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    groups: Vec<Membership>,
}

impl Groups {
    /// The claim that groups are noted under unless
    /// [`SessionsBuilder::groups_claim`](crate::session::SessionsBuilder::groups_claim) says another.
    pub(crate) const CLAIM: &str = "groups";

    /// Those of a claim as an identity provider wrote it: a list of texts, or of objects with an `id`
    /// and perhaps a `name`. Other members of such an object are not read.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] when it is no list, or anything else is in it: an empty text, a number,
    /// an object without an `id`. A claim that is not understood is never no group.
    pub fn from_json(claim: &Value) -> Result<Self> {
        let items = claim.as_array().ok_or_else(Error::invalid)?;
        let groups = items
            .iter()
            .map(|item| Membership::from_json(item).ok_or_else(Error::invalid));
        Ok(Self {
            groups: groups.collect::<Result<_>>()?,
        })
    }

    /// Those that were noted in a session under this name: what [`to_claim`](Self::to_claim) wrote, or a
    /// plain list of ids. Where nothing was, or no list of text, there are none, and no rule allows
    /// anything.
    #[must_use]
    pub fn from_claims(claims: &SessionClaims, claim: &str) -> Self {
        let list = claims.get(claim).and_then(ClaimValue::as_text_list);
        let mut groups: Vec<Membership> = Vec::new();
        // A name is told right after the id that it belongs to, and never alone.
        let mut nameless = false;
        for text in list.into_iter().flatten() {
            let noted = Noted::of(text);
            match (&noted, groups.last_mut()) {
                (Some(Noted::Id(id)), _) => groups.push(Membership::new(*id)),
                (Some(Noted::Name(name)), Some(group)) if nameless => {
                    group.name = Some((*name).to_owned());
                }
                (Some(Noted::Name(_)) | None, _) => {}
            }
            nameless = matches!(noted, Some(Noted::Id(_)));
        }
        Self { groups }
    }

    /// To be noted in a session: one list, in which each id is followed by the name of its group. Read by
    /// [`from_claims`](Self::from_claims), it gives the same groups, each once.
    #[must_use]
    pub fn to_claim(&self) -> ClaimValue {
        let mut seen = HashSet::new();
        let groups = self.groups.iter().filter(|group| seen.insert(*group));
        let texts = groups.flat_map(|group| {
            let name = group.name().map(|name| Noted::Name(name).to_text());
            std::iter::once(Noted::Id(group.id()).to_text()).chain(name)
        });
        ClaimValue::TextList(texts.collect())
    }

    /// Tells whether the group of this id is among them: byte for byte, so `Admins` is not `admins`. One that is
    /// only named so is another.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.groups.iter().any(|group| group.id() == id)
    }

    /// Tells whether a group of this name is among them, byte for byte. Anybody who may name a group can give it
    /// the name of another.
    #[must_use]
    pub fn contains_named(&self, name: &str) -> bool {
        self.groups.iter().any(|group| group.name() == Some(name))
    }

    /// Each of them, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &Membership> {
        self.groups.iter()
    }
}

impl<G: Into<Membership>> FromIterator<G> for Groups {
    fn from_iter<I: IntoIterator<Item = G>>(groups: I) -> Self {
        Self {
            groups: groups.into_iter().map(Into::into).collect(),
        }
    }
}

/// An id or a name in the list that a session has of its groups.
///
/// Names are what people chose, so each is marked, and no name reads as an id. What a provider's plain list
/// says stands there as it is, but for an id that looks like a marked text.
enum Noted<'a> {
    Id(&'a str),
    Name(&'a str),
}

impl<'a> Noted<'a> {
    const MARK: char = '~';
    const ID: &'static str = "~i";
    const NAME: &'static str = "~n";

    /// Any other text that begins with the mark is neither.
    fn of(text: &'a str) -> Option<Self> {
        if !text.starts_with(Self::MARK) {
            return Some(Self::Id(text)).filter(|_| !text.is_empty());
        }
        if let Some(name) = text.strip_prefix(Self::NAME) {
            return Some(Self::Name(name)).filter(|_| !name.is_empty());
        }
        // An id has one spelling: one that needs no mark has none.
        let id = text.strip_prefix(Self::ID);
        id.filter(|id| id.starts_with(Self::MARK)).map(Self::Id)
    }

    fn to_text(&self) -> String {
        match self {
            Self::Id(id) if id.starts_with(Self::MARK) => format!("{}{id}", Self::ID),
            Self::Id(id) => (*id).to_owned(),
            Self::Name(name) => format!("{}{name}", Self::NAME),
        }
    }
}

/// The key by which a rule names a group: its id, which its provider gives, or its name, which people do.
///
/// Plain text is an id. A group that is only named so does not meet a rule over an id, and a group of that id
/// does not meet one over a name. Where people may name groups as they like, write ids.
///
/// Exhaustive: a third way would be one more to get in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GroupKey {
    /// The group of this id.
    Id(String),
    /// Each group of this name.
    Name(String),
}

impl GroupKey {
    /// Names the group of this id.
    #[must_use]
    pub fn id(id: impl Into<String>) -> Self {
        Self::Id(id.into())
    }

    /// Names each group of this name.
    #[must_use]
    pub fn name(name: impl Into<String>) -> Self {
        Self::Name(name.into())
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Id(text) | Self::Name(text) => text.is_empty(),
        }
    }

    fn is_among(&self, groups: &Groups) -> bool {
        match self {
            Self::Id(id) => groups.contains(id),
            Self::Name(name) => groups.contains_named(name),
        }
    }
}

impl From<&str> for GroupKey {
    fn from(id: &str) -> Self {
        Self::id(id)
    }
}

impl From<String> for GroupKey {
    fn from(id: String) -> Self {
        Self::id(id)
    }
}

/// Which groups a viewer must be in: any of some, or all of them, each by its [key](GroupKey).
///
/// It is a plain value and asks nobody, so it can be used wherever there are [`Groups`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRule {
    required: Required,
    groups: Vec<GroupKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Required {
    Any,
    All,
}

impl GroupRule {
    /// Allows whoever is in one of these groups at least.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] when there are none, or the id or name of one is the empty text.
    pub fn any_of(groups: impl IntoIterator<Item = impl Into<GroupKey>>) -> Result<Self> {
        Self::new(Required::Any, groups)
    }

    /// Allows whoever is in each of these groups.
    ///
    /// # Errors
    ///
    /// As [`GroupRule::any_of`]: a rule that requires nothing would allow everybody.
    pub fn all_of(groups: impl IntoIterator<Item = impl Into<GroupKey>>) -> Result<Self> {
        Self::new(Required::All, groups)
    }

    fn new(
        required: Required,
        groups: impl IntoIterator<Item = impl Into<GroupKey>>,
    ) -> Result<Self> {
        let groups: Vec<GroupKey> = groups.into_iter().map(Into::into).collect();
        if groups.is_empty() || groups.iter().any(GroupKey::is_empty) {
            return Err(Error::misuse(
                "a rule over groups names one group at least, and none by an empty text",
            ));
        }
        Ok(Self { required, groups })
    }

    /// Whether somebody in these groups may.
    #[must_use]
    pub fn allows(&self, groups: &Groups) -> bool {
        let mut required = self.groups.iter();
        match self.required {
            Required::Any => required.any(|group| group.is_among(groups)),
            Required::All => required.all(|group| group.is_among(groups)),
        }
    }
}
