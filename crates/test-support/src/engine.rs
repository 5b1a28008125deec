//! The engines that whole suites run on.

use std::sync::Arc;

use embedded::Embedded;
use paradigm_scim::store::Store;
use paradigm_scim::store::dynamodb::DynamoDb;
use paradigm_scim::store::memory::Memory;
use paradigm_scim::store::table::Table;

use crate::world::{TABLE, World};

/// An engine, with a new and empty table for each test.
#[derive(Debug, Clone, Copy)]
pub enum Engine {
    InMemory,
    /// The AWS SDK over the embedded DynamoDB.
    DynamoDb,
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
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! on_engine {
    ($engine:ident: $($test:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                super::$test($crate::engine::Engine::$engine).await;
            }
        )+
    };
}
