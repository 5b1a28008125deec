//! `user create|import|list|show|grant|ungrant|restore`

use clap::{Args, Subcommand};
use paradigm_scim::directory::{
    CompanyId, Operation, Permission, State, USER, User as DirectoryUser, UserId,
};
use paradigm_scim::store::{Next, Store, StoreError};
use scim::ScimError;
use scim::resource::{Document, date_time};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::directory::{self, InCompany, now, operator_change};
use crate::Failure;
use crate::manage::import::Import;

#[derive(Subcommand)]
pub(crate) enum User {
    /// Create a user
    Create(Create),
    /// Create users from a file; users that exist already stay as they are
    Import(Import),
    /// List a company's users
    List(InCompany),
    /// Show a user with state, permissions and attributes
    Show(OneUser),
    /// Let a user manage the company's users, as the owner of an API key must
    Grant(OneUser),
    /// Take that permission away
    Ungrant(OneUser),
    /// Activate a user again, under the names a soft delete replaced
    Restore(OneUser),
}

#[derive(Args)]
pub(crate) struct Create {
    /// The userName; an email address is best
    user_name: String,
    #[command(flatten)]
    profile: Profile,
    #[command(flatten)]
    place: InCompany,
}

/// The attributes that people see. Some SCIM clients cannot read a user without name and email.
#[derive(Args, Default)]
pub(crate) struct Profile {
    /// The given name, or first name
    #[arg(long, value_name = "NAME")]
    pub(crate) given_name: Option<String>,
    /// The family name, or last name
    #[arg(long, value_name = "NAME")]
    pub(crate) family_name: Option<String>,
    /// The name shown to other people
    #[arg(long, value_name = "NAME")]
    pub(crate) display_name: Option<String>,
    /// The work email address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: Option<String>,
}

impl Profile {
    /// Returns the body of a SCIM POST.
    pub(crate) fn to_resource(&self, user_name: &str) -> Map<String, Value> {
        let names = [
            ("givenName", &self.given_name),
            ("familyName", &self.family_name),
        ];
        let names = names
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let email = |value: &String| json!([{"value": value, "type": "work", "primary": true}]);
        let mut resource = Map::new();
        resource.insert("userName".to_owned(), user_name.into());
        resource.insert("name".to_owned(), names.collect());
        resource.insert("displayName".to_owned(), self.display_name.clone().into());
        resource.insert("emails".to_owned(), self.email.as_ref().map(email).into());
        resource
    }
}

#[derive(Args)]
pub(crate) struct OneUser {
    /// The user, by id or userName
    user: String,
    #[command(flatten)]
    place: InCompany,
}

impl User {
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Create(arguments) => {
                let (store, company) = arguments.place.open().await?;
                let id = UserId::new(Uuid::now_v7());
                let resource = arguments.profile.to_resource(&arguments.user_name);
                let user = create(&store, company, id, resource).await?;
                arguments.place.format.record(&shown(&user))
            }
            Self::Import(import) => import.run().await,
            Self::List(place) => {
                let (store, company) = place.open().await?;
                let users = store.listed_users(company).await?;
                let users: Vec<Value> = users.iter().map(shown).collect();
                let columns = ["id", "userName", "state", "permissions", "lastModified"];
                place.format.records(&columns, &users)
            }
            Self::Show(arguments) => {
                let (store, company) = arguments.place.open().await?;
                let id = directory::user_id(&store, company, &arguments.user).await?;
                let user = store.user(company, id).await?.ok_or_else(no_such_user)?;
                let mut record = shown(&user);
                if let Some(members) = record.as_object_mut() {
                    let document = user.document.members().clone();
                    members.insert("attributes".into(), Value::Object(document));
                }
                arguments.place.format.record(&record)
            }
            Self::Grant(arguments) => {
                arguments
                    .change(Operation::Grant, |user| {
                        Ok(user.granted(Permission::UsersManage))
                    })
                    .await
            }
            Self::Ungrant(arguments) => {
                arguments
                    .change(Operation::Ungrant, |user| {
                        Ok(user.ungranted(Permission::UsersManage))
                    })
                    .await
            }
            Self::Restore(arguments) => {
                arguments
                    .change(Operation::Restore, |user| {
                        if user.is_active() {
                            return Err(
                                "the user with this id or userName is active already".into()
                            );
                        }
                        Ok(user.restored(now())?)
                    })
                    .await
            }
        }
    }
}

impl OneUser {
    async fn change(
        &self,
        operation: Operation,
        decide: impl Fn(&DirectoryUser) -> Result<DirectoryUser, Failure>,
    ) -> Result<(), Failure> {
        let (store, company) = self.place.open().await?;
        let id = directory::user_id(&store, company, &self.user).await?;
        let user = change(&store, company, id, operation, decide).await?;
        self.place.format.record(&shown(&user))
    }
}

/// Changes a user as an operator.
pub(crate) async fn change(
    store: &Store,
    company: CompanyId,
    id: UserId,
    operation: Operation,
    decide: impl Fn(&DirectoryUser) -> Result<DirectoryUser, Failure>,
) -> Result<DirectoryUser, Failure> {
    let result = store
        .change_user(&operator_change(company, operation), id, |user| {
            decide(user).map(Next::Update)
        })
        .await;
    match result {
        Ok(user) => user.ok_or_else(no_such_user),
        Err(failure) if is_name_taken(&failure) => {
            Err("another user of the company has the name; rename that user first".into())
        }
        Err(failure) => Err(failure),
    }
}

fn is_name_taken(failure: &Failure) -> bool {
    matches!(
        failure.downcast_ref::<StoreError>(),
        Some(StoreError::UserNameTaken)
    )
}

/// Creates a user from the body of a SCIM POST.
pub(crate) async fn create(
    store: &Store,
    company: CompanyId,
    id: UserId,
    resource: Map<String, Value>,
) -> Result<DirectoryUser, Failure> {
    let document =
        Document::from_input(resource, &USER).map_err(|ScimError { detail, .. }| detail)?;
    let user = DirectoryUser::new(id, document, now())?;
    store
        .create_user(&operator_change(company, Operation::Create), &user)
        .await?;
    Ok(user)
}

fn no_such_user() -> Failure {
    "the company has no such user".into()
}

fn shown(user: &DirectoryUser) -> Value {
    let permissions: Vec<&str> = user
        .permissions
        .iter()
        .map(|permission| permission.as_str())
        .collect();
    let mut record = json!({
        "id": user.id.to_string(),
        "userName": user.document.string("userName"),
        "state": user.state().as_str(),
        "permissions": permissions,
        "keys": user.keys.keys().map(ToString::to_string).collect::<Vec<_>>(),
        "created": date_time(user.created),
        "lastModified": date_time(user.last_modified),
        "version": user.version,
    });
    if user.state() == State::SoftDeleted
        && let (Some(members), Some(rename)) = (record.as_object_mut(), &user.renames.user_name)
    {
        members.insert("restoredAs".into(), rename.original.clone().into());
    }
    record
}
