//! The engines that whole suites run on.

use std::sync::Arc;

use embedded::Embedded;
use paradigm_scim::store::Store;
use paradigm_scim::store::dynamodb::DynamoDb;
use paradigm_scim::store::memory::Memory;
use paradigm_scim::store::table::Table;

use crate::postgres::Database;
use crate::world::{TABLE, World};

/// Connections of a test to PostgreSQL.
const CONNECTIONS: usize = 8;

/// An engine, with a new and empty table for each test.
#[derive(Debug, Clone, Copy)]
pub enum Engine {
    InMemory,
    /// The AWS SDK over the embedded DynamoDB.
    DynamoDb,
    /// PostgreSQL, on the server that `SCIM_TEST_POSTGRES` names.
    PostgreSql,
}

impl Engine {
    pub async fn table(self) -> Arc<dyn Table> {
        match self {
            Self::InMemory => Arc::new(Memory::new()),
            Self::DynamoDb => {
                let config = Embedded::in_memory().unwrap().config();
                let engine = DynamoDb::new(&config, TABLE);
                engine.ensure_table().await.unwrap();
                Arc::new(engine)
            }
            Self::PostgreSql => Arc::new(Database::new().await.engine(CONNECTIONS)),
        }
    }

    pub async fn store(self) -> Store {
        Store::on(self.table().await)
    }

    pub async fn world(self) -> World {
        World::on(self.store().await)
    }
}

/// Makes a test on each engine of functions that take an [`Engine`], in a module that is named after it.
#[macro_export]
macro_rules! on_every_engine {
    ($($test:ident),+ $(,)?) => {
        mod in_memory {
            $crate::on_engine!(InMemory: $($test),+);
        }
        mod dynamodb {
            $crate::on_engine!(DynamoDb: $($test),+);
        }
        mod postgresql {
            $crate::on_engine!(
                #[ignore = "needs PostgreSQL; see .ci/run postgres"]
                PostgreSql: $($test),+
            );
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! on_engine {
    ($(#[$attribute:meta])? $engine:ident: $($test:ident),+) => {
        $crate::on_engine!(@each [$(#[$attribute])?] $engine: $($test),+);
    };
    (@each $attributes:tt $engine:ident: $($test:ident),+) => {
        $(
            $crate::on_engine!(@one $attributes $engine: $test);
        )+
    };
    (@one [$(#[$attribute:meta])?] $engine:ident: $test:ident) => {
            $(#[$attribute])?
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                super::$test($crate::engine::Engine::$engine).await;
            }
    };
}
