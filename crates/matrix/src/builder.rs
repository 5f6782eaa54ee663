//! The builder of a matrix: the sample viewers, the context, and the live schema.

use chrono::{DateTime, SecondsFormat, Utc};
use clearance::__matrix::{configuration, dto_entries, entity_entries, input_entries};
use clearance::policy::Context;
use clearance::registry::DatabaseSchema;
use clearance::{App, Result};

use crate::model::{Circumstances, Matrix, NOBODY, SYSTEM, VERSION};
use crate::{attributes, inputs, lint, rows};

impl Matrix {
    /// Starts an access matrix of an application: one column for nobody, one for the program itself,
    /// and one for each sample viewer that is added.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::{Dto, Entity, Field, Viewer};
    /// # #[derive(Viewer)]
    /// # struct Member { id: i64, admin: bool, team: String }
    /// # #[derive(Entity)]
    /// # #[entity(table = "users", viewer = Member, read_if(viewer.id > 0))]
    /// # struct User { #[entity(key)] id: i64, team: String, phone: String }
    /// # #[derive(Dto)]
    /// # #[dto(entity = User)]
    /// # struct Profile { #[visible_if(viewer.admin || viewer.team == row.team)] phone: Field<String> }
    /// use clearance_matrix::Matrix;
    ///
    /// clearance::app! {
    ///     static APP = { viewer: Member, dtos: [Profile], repositories: [] };
    /// }
    ///
    /// let matrix = Matrix::of(&APP)
    ///     .viewer("admin", &Member { id: 1, admin: true, team: "red".into() })
    ///     .viewer("stranger", &Member { id: 2, admin: false, team: "blue".into() })
    ///     .build()?;
    /// assert!(matrix.to_markdown().contains("depends: `row.team == \"blue\"`"));
    /// # Ok::<_, clearance::Error>(())
    /// ```
    pub fn of<V: 'static>(app: &App<V>) -> MatrixBuilder<'_, V> {
        MatrixBuilder {
            app,
            viewers: Vec::new(),
            // Fixed, so that the same types give the same matrix on any day.
            context: Context::new(
                DateTime::<Utc>::from_timestamp(946_684_800, 0).unwrap_or_default(),
            ),
            schema: None,
        }
    }
}

/// A builder of an access matrix; see [`Matrix::of`].
#[must_use = "a matrix builder does nothing until `build`"]
#[derive(Debug)]
pub struct MatrixBuilder<'a, V: 'static> {
    app: &'a App<V>,
    viewers: Vec<(String, &'a V)>,
    context: Context,
    schema: Option<&'a DatabaseSchema>,
}

/// One column of the matrix.
pub(crate) struct Asking<'a, V> {
    pub(crate) name: &'a str,
    pub(crate) who: Who<'a, V>,
}

pub(crate) enum Who<'a, V> {
    Nobody,
    System,
    Viewer(&'a V),
}

impl<'a, V: 'static> MatrixBuilder<'a, V> {
    /// Adds a column with the permissions of a viewer like `viewer`. The matrix shows the values of the
    /// sample wherever a rule compares them with a row, so use made-up ones.
    pub fn viewer(mut self, name: impl Into<String>, viewer: &'a V) -> Self {
        self.viewers.push((name.into(), viewer));
        self
    }

    /// Evaluates the rules in this context. Without it the time is 2000-01-01, and the address is
    /// unknown.
    pub fn at(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// Adds the lints that need indexes and collations; see [`Db::schema`](clearance::Db::schema).
    pub const fn with_schema(mut self, schema: &'a DatabaseSchema) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Builds the matrix.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`](clearance::Error::is_configuration) if a rule cannot be evaluated for one
    /// of the viewers, with its place, and if two viewers have the same name.
    pub fn build(self) -> Result<Matrix> {
        let mut asking = vec![
            Asking {
                name: NOBODY,
                who: Who::Nobody,
            },
            Asking {
                name: SYSTEM,
                who: Who::System,
            },
        ];
        for (name, viewer) in &self.viewers {
            if asking.iter().any(|known| known.name == name) {
                return Err(configuration(format!(
                    "the access matrix has two viewers named `{name}`"
                )));
            }
            asking.push(Asking {
                name,
                who: Who::Viewer(*viewer),
            });
        }
        let entities = entity_entries(self.app);
        let dtos = dto_entries(self.app);
        let inputs = input_entries(self.app);
        let repositories = self.app.repositories();
        let rules = attributes::rules(&entities, &dtos, &inputs);
        let lints = lint::lints(&lint::Subject {
            entities: &entities,
            dtos: &dtos,
            inputs: &inputs,
            viewers: &self.viewers,
            context: &self.context,
            schema: self.schema,
        });
        Ok(Matrix {
            version: VERSION,
            context: Circumstances {
                now: self
                    .context
                    .now
                    .to_rfc3339_opts(SecondsFormat::AutoSi, true),
                address: self.context.address.map(|address| address.to_string()),
            },
            viewers: asking.iter().map(|asking| asking.name.to_owned()).collect(),
            entities: entities
                .iter()
                .map(|entity| rows::entity_rows(entity, &asking, &self.context))
                .collect::<Result<_>>()?,
            dtos: dtos
                .iter()
                .map(|dto| rows::dto_rows(dto, &asking, &self.context))
                .collect::<Result<_>>()?,
            inputs: inputs
                .iter()
                .map(|input| inputs::input_rows(input, &asking, &self.context))
                .collect::<Result<_>>()?,
            repositories: repositories
                .iter()
                .map(|repository| rows::repository_rows(repository, &asking, &self.context))
                .collect(),
            context_attributes: attributes::attributes(&rules, &repositories),
            escape_hatches: lint::hatches(&entities, &dtos, &inputs, &repositories),
            source_was_read: false,
            schema_was_read: self.schema.is_some(),
            lints,
        })
    }
}
