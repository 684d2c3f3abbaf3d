use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Definition, Hints, Tool};
use crate::{
    call::Call,
    content::{Content, ToolResult},
    error::Error,
    outcome::Outcome,
    schema,
};

pub struct GetStructuredContent;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// City name or zip code.
    #[schemars(title = "Location", length(max = 200), extend("pattern" = "\\S"))]
    location: String,
}

#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Weather {
    /// Temperature in Celsius.
    #[schemars(title = "Temperature")]
    temperature: f64,
    /// Weather conditions description.
    #[schemars(title = "Conditions")]
    conditions: &'static str,
    /// Humidity percentage.
    #[schemars(title = "Humidity", range(min = 0, max = 100))]
    humidity: u8,
}

const CONDITIONS: [&str; 8] = [
    "Sunny",
    "Partly cloudy",
    "Cloudy",
    "Light rain",
    "Thunderstorm",
    "Fog",
    "Windy",
    "Snow",
];

#[async_trait]
impl Tool for GetStructuredContent {
    type Arguments = Arguments;

    fn definition(&self) -> Definition {
        Definition {
            name: "getStructuredContent",
            title: "Get Structured Content",
            description: "Returns invented weather, always the same for a place, as structured content that follows \
                          the tool's output schema.",
            pictograph: "🌦",
            hints: Hints::PURE,
            output_schema: Some(schema::output::<Weather>()),
            meta: None,
        }
    }

    async fn call(&self, arguments: Arguments, _: &Call) -> Result<Outcome<ToolResult>, Error> {
        let weather = serde_json::to_value(Weather::invented(&arguments.location))?;
        Ok(Outcome::Result(ToolResult {
            // For clients that know no structured content.
            content: vec![Content::text(weather.to_string())],
            structured_content: Some(weather),
            is_error: false,
        }))
    }
}

impl Weather {
    /// The same for every spelling of a place in letter case and outer spaces.
    fn invented(location: &str) -> Self {
        let digest = Sha256::digest(location.trim().to_lowercase().as_bytes());
        let [a, b, c, d, ..] = digest[..] else {
            return Self::invented_at(0, 0, 0);
        };
        Self::invented_at(u16::from_be_bytes([a, b]), c, d)
    }

    /// -10.0 to 34.9 °C; 20 to 95 %.
    fn invented_at(temperature: u16, conditions: u8, humidity: u8) -> Self {
        Self {
            temperature: f64::from(i32::from(temperature % 450) - 100) / 10.0,
            conditions: CONDITIONS[usize::from(conditions) % CONDITIONS.len()],
            humidity: 20 + humidity % 76,
        }
    }
}
