use everything_proto::feature::v1::{Capabilities, DescribeRequest};
use serde_json::json;

use crate::harness::{Feature, json as parse};

#[tokio::test]
async fn the_server_says_who_it_is_and_what_it_can_do() {
    let feature = Feature::start().await;
    let described = feature
        .client
        .clone()
        .describe(DescribeRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(described.name, "everything-server");
    assert_eq!(described.title, "Everything Server");
    assert_eq!(described.version, env!("CARGO_PKG_VERSION"));
    assert!(described.icons[0].src.starts_with("data:image/png;base64,"));
    let mut capabilities = described.capabilities.unwrap();
    let ui = capabilities
        .extensions_json
        .remove("io.modelcontextprotocol/ui")
        .unwrap();
    assert_eq!(parse(&ui), json!({ "mimeTypes": ["text/html;profile=mcp-app"] }));
    assert_eq!(
        capabilities,
        Capabilities {
            tools: true,
            tools_list_changed: true,
            resources: true,
            resources_list_changed: true,
            resources_subscribe: true,
            prompts: true,
            prompts_list_changed: true,
            logging: true,
            completions: true,
            extensions_json: [].into(),
            tasks: true,
        }
    );
    // Every tool is in the instructions.
    for tool in [
        "echo",
        "longRunningOperation",
        "sampleLLM",
        "gzipAsResource",
        "mcpAppsHelloWorld",
    ] {
        assert!(described.instructions.contains(tool), "{tool}");
    }
}
