//! `/ServiceProviderConfig` as an operator configures it.

use paradigm_scim::config::Config;

use crate::support::template::template;
use test_support::world::{Call, World, in_memory};

#[tokio::test]
async fn documentation_is_named_where_an_operator_configures_it() {
    let store = in_memory();
    for (value, expected) in [
        (None, None),
        (Some(" "), None),
        (
            Some("https://docs.example.com/scim"),
            Some("https://docs.example.com/scim"),
        ),
    ] {
        let config = Config::from_variables(|name| match name {
            "SCIM_INSTANCE_ACTIVATION" => Some("True".to_owned()),
            "SCIM_DOCUMENTATION_URI" => value.map(str::to_owned),
            _ => None,
        });
        let world = World::with_config(store.clone(), config);
        let response = world.send(Call::new("GET", "/ServiceProviderConfig")).await;
        let uri = response.json().get("documentationUri");
        assert_eq!(uri.and_then(|uri| uri.as_str()), expected);
    }
    let template = template();
    let variables = &template["Globals"]["Function"]["Environment"]["Variables"];
    assert!(!variables["SCIM_DOCUMENTATION_URI"].is_badvalue());
    assert!(!template["Parameters"]["DocumentationUri"].is_badvalue());
}
