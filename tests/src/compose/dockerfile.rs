use std::collections::BTreeMap;

use anyhow::Context;

use crate::tools;

/// The Dockerfile's stages.
#[derive(Clone, Debug)]
pub struct Dockerfile {
    pub stages: BTreeMap<String, Stage>,
}

/// What a container of a stage has, with what it inherits from the stages below it.
#[derive(Clone, Debug, Default)]
pub struct Stage {
    /// The image at the bottom.
    pub base: String,
    pub environment: BTreeMap<String, String>,
    pub entrypoint: Vec<String>,
    pub exposed: Vec<u16>,
    /// Where copied programs lie, by the workspace binary that each is.
    pub binaries: BTreeMap<String, String>,
}

impl Dockerfile {
    /// The file of this repository.
    pub fn read() -> anyhow::Result<Self> {
        let path = tools::root().join("Dockerfile");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Self::parse(&text.replace("\\\n", " "))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut stages: BTreeMap<String, Stage> = BTreeMap::new();
        let mut current = String::new();
        for line in text.lines() {
            let Some((instruction, rest)) = line.split_once(' ') else {
                continue;
            };
            if instruction == "FROM" {
                let (from, name) = rest.split_once(" AS ").context("every stage has a name")?;
                let below = stages.get(from).cloned().unwrap_or_else(|| Stage {
                    base: from.to_owned(),
                    ..Stage::default()
                });
                current = name.to_owned();
                stages.insert(current.clone(), below);
                continue;
            }
            let Some(stage) = stages.get_mut(&current) else {
                continue;
            };
            match instruction {
                "ENV" => {
                    let (name, value) = rest.split_once('=').context("ENV without =")?;
                    stage.environment.insert(name.to_owned(), value.to_owned());
                }
                "ENTRYPOINT" => stage.entrypoint = serde_json::from_str(rest).context("ENTRYPOINT")?,
                "EXPOSE" => stage.exposed.push(rest.trim().parse().context("EXPOSE")?),
                "COPY" => {
                    let words: Vec<&str> = rest.split_whitespace().collect();
                    if let [.., source, target] = words[..]
                        && let Some(binary) = source.strip_prefix("/src/target/release/")
                    {
                        stage
                            .binaries
                            .insert(binary.to_owned(), format!("{target}{binary}"));
                    }
                }
                _ => {}
            }
        }
        Ok(Self { stages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_has_what_the_stages_below_it_have() {
        let dockerfile = Dockerfile::parse(
            "FROM base:1 AS runtime\nENV A=1\nFROM runtime AS edge\n\
             COPY --from=build /src/target/release/everything-edge /usr/local/bin/\n\
             ENV B=2\nEXPOSE 3232\nENTRYPOINT [\"/usr/local/bin/everything-edge\"]\n",
        )
        .unwrap();
        let edge = &dockerfile.stages["edge"];
        assert_eq!(edge.base, "base:1");
        assert_eq!(edge.environment.len(), 2);
        assert_eq!(edge.exposed, [3232]);
        assert_eq!(edge.entrypoint, ["/usr/local/bin/everything-edge"]);
        assert_eq!(edge.binaries["everything-edge"], "/usr/local/bin/everything-edge");
    }
}
