use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

use crate::tools;

/// docker-compose.yml, as far as containers here follow it. Anything else in it is read by the schema test alone.
#[derive(Clone, Debug, Deserialize)]
pub struct ComposeFile {
    pub name: String,
    pub services: BTreeMap<String, Service>,
    pub networks: BTreeMap<String, Option<Network>>,
    pub volumes: BTreeMap<String, Option<Value>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Network {
    #[serde(default)]
    pub internal: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Service {
    pub image: String,
    pub build: Option<Build>,
    #[serde(default)]
    pub profiles: Vec<String>,
    #[serde(default)]
    pub command: Vec<String>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    pub user: Option<String>,
    #[serde(default)]
    pub read_only: bool,
    #[serde(default)]
    pub cap_drop: Vec<String>,
    #[serde(default)]
    pub security_opt: Vec<String>,
    #[serde(default)]
    pub ports: Vec<String>,
    #[serde(default)]
    pub volumes: Vec<String>,
    #[serde(default)]
    pub networks: Vec<String>,
    pub network_mode: Option<String>,
    #[serde(default)]
    pub depends_on: BTreeMap<String, Dependency>,
    pub healthcheck: Option<Healthcheck>,
    pub deploy: Option<Deploy>,
    pub stop_grace_period: Option<String>,
    pub restart: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Build {
    pub context: String,
    pub target: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Dependency {
    pub condition: Condition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    ServiceStarted,
    ServiceHealthy,
    ServiceCompletedSuccessfully,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Healthcheck {
    pub test: Vec<String>,
    pub interval: String,
    pub timeout: String,
    pub retries: u32,
    pub start_period: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Deploy {
    pub resources: Resources,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Resources {
    pub limits: Limits,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Limits {
    pub cpus: String,
    pub memory: String,
    pub pids: u32,
}

impl ComposeFile {
    /// The file of this repository, with `variables` as the shell would have them.
    pub fn read(variables: &HashMap<String, String>) -> anyhow::Result<Self> {
        let text = interpolate(&Self::text()?, variables)?;
        serde_saphyr::from_str(&text).context("docker-compose.yml")
    }

    /// What is in the file, before variables.
    pub fn text() -> anyhow::Result<String> {
        let path = tools::root().join("docker-compose.yml");
        std::fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// The services of these profiles and those of none, in an order in which each comes after what it depends on.
    pub fn start_order(&self, profiles: &[&str]) -> anyhow::Result<Vec<String>> {
        let wanted = |service: &Service| {
            service.profiles.is_empty()
                || service
                    .profiles
                    .iter()
                    .any(|name| profiles.contains(&name.as_str()))
        };
        let mut ordered: Vec<String> = Vec::new();
        let mut waiting: Vec<&String> = self
            .services
            .iter()
            .filter(|(_, service)| wanted(service))
            .map(|(name, _)| name)
            .collect();
        while !waiting.is_empty() {
            let before = waiting.len();
            waiting.retain(|name| {
                let ready = self.services[*name]
                    .depends_on
                    .keys()
                    .all(|other| ordered.contains(other));
                if ready {
                    ordered.push((*name).clone());
                }
                !ready
            });
            anyhow::ensure!(waiting.len() < before, "depends_on leads in circles: {waiting:?}");
        }
        Ok(ordered)
    }
}

/// Replaces `${NAME:-default}` and `${NAME}`, as Compose does.
pub fn interpolate(text: &str, variables: &HashMap<String, String>) -> anyhow::Result<String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, after) = rest.split_at(start);
        let (variable, behind) = after[2..].split_once('}').context("${ without }")?;
        let (name, default) = variable.split_once(":-").unwrap_or((variable, ""));
        let value = variables.get(name).filter(|value| !value.is_empty());
        result.push_str(before);
        result.push_str(value.map_or(default, String::as_str));
        rest = behind;
    }
    result.push_str(rest);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_take_the_place_of_their_defaults() {
        let variables = HashMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), String::new())]);
        let text = "${A:-x} ${B:-y}:${C:-z} ${A} ${C}.";
        assert_eq!(interpolate(text, &variables).unwrap(), "1 y:z 1 .");
        assert!(interpolate("${A", &variables).is_err());
    }
}
