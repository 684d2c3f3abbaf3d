# One image per service, from one build: `docker build --target edge .`

FROM rust:1.95-slim-trixie AS toolchain
RUN cargo install cargo-chef --version 0.1.78 --locked
WORKDIR /src
# Debug information would be most of the image; names stay, so that backtraces can be read.
ENV CARGO_PROFILE_RELEASE_STRIP=debuginfo

# What the dependencies are, without our sources: changes only with a manifest or the lock file.
FROM toolchain AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM toolchain AS build
COPY --from=plan /src/recipe.json .
# The layer of the dependencies: built again only when the plan changes.
RUN cargo chef cook --release --locked --recipe-path recipe.json \
    -p everything -p everything-edge -p everything-auth -p everything-session -p everything-feature
COPY . .
RUN cargo build --release --locked \
    -p everything -p everything-edge -p everything-auth -p everything-session -p everything-feature
# The one library beside the C library that a Rust program is linked to.
RUN mkdir /keys && cp --dereference "$(gcc -print-file-name=libgcc_s.so.1)" /libgcc_s.so.1

# The C library, time zones and certificates of public authorities: no shell, no package manager, no OpenSSL. Runs as user
# 65532.
FROM gcr.io/distroless/base-nossl-debian13:nonroot AS runtime
COPY --from=build /libgcc_s.so.1 /usr/lib/
ENV LOG_FORMAT=json

FROM runtime AS edge
COPY --from=build /src/target/release/everything-edge /usr/local/bin/
# An empty directory that belongs to the user, for the volume with the edges' common key.
COPY --from=build --chown=65532:65532 /keys /keys
ENV HOST=0.0.0.0
EXPOSE 3232
ENTRYPOINT ["/usr/local/bin/everything-edge"]

FROM runtime AS auth
COPY --from=build /src/target/release/everything-auth /usr/local/bin/
ENV LISTEN_ADDR=0.0.0.0:50051
EXPOSE 50051
ENTRYPOINT ["/usr/local/bin/everything-auth"]

FROM runtime AS session
COPY --from=build /src/target/release/everything-session /usr/local/bin/
ENV LISTEN_ADDR=0.0.0.0:50052
EXPOSE 50052
ENTRYPOINT ["/usr/local/bin/everything-session"]

FROM runtime AS feature
COPY --from=build /src/target/release/everything-feature /usr/local/bin/
ENV LISTEN_ADDR=0.0.0.0:50053
EXPOSE 50053
ENTRYPOINT ["/usr/local/bin/everything-feature"]

# Everything in one process. The last stage is what `docker build .` makes.
FROM runtime AS everything
COPY --from=build /src/target/release/everything /usr/local/bin/
ENV HOST=0.0.0.0
EXPOSE 3232
ENTRYPOINT ["/usr/local/bin/everything"]
