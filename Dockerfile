# The redpilot program on a Node without shell or package manager, as a user without rights.

FROM node:24-bookworm-slim AS build
WORKDIR /redpilot
COPY package.json package-lock.json .npmrc ./
# The workspace brings another Node for a checkout: not needed here, but the lockfile speaks of it.
COPY tooling/node/package.json tooling/node/
RUN npm ci --ignore-scripts --workspaces=false
COPY tsconfig.json tsconfig.build.json ./
COPY tooling/build.ts tooling/
COPY src src
RUN npm run build

FROM node:24-bookworm-slim AS dependencies
WORKDIR /redpilot
COPY package.json package-lock.json .npmrc ./
COPY tooling/node/package.json tooling/node/
RUN npm ci --ignore-scripts --workspaces=false --omit=dev
RUN mkdir /bootstrap

FROM gcr.io/distroless/nodejs24-debian12:nonroot
WORKDIR /redpilot
COPY --from=dependencies /redpilot/node_modules node_modules
COPY --from=build /redpilot/dist dist
COPY package.json ./
COPY bin bin
COPY protos protos
# Where `redpilot bootstrap --file` may write: a volume that is mounted here takes its owner over.
COPY --from=dependencies --chown=65532:65532 /bootstrap /bootstrap
USER 65532:65532
EXPOSE 18000 19000
ENTRYPOINT ["/nodejs/bin/node", "/redpilot/bin/redpilot.js"]
CMD ["--help"]
