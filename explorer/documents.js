// Every document of the page; a test validates each against the schema and runs it.

export const viewer = `query viewer { viewer { kind team } serviceConfig { features } }`;

export const organisms = `query organisms($after: String) {
  organisms(first: 200, after: $after) {
    edges { node { name kind mixRatio description baseModel { name } latestRun { key } } }
    pageInfo { hasNextPage endCursor }
  }
}`;

export const organism = `query organism($name: String!) {
  organism(name: $name) {
    name kind form mixRatio description groundTruth
    baseModel { name architecture layers dModel }
    runs(first: 50) {
      edges { node { key createdAt method samples positions } }
    }
  }
}`;

export const places = `query places($run: String!, $after: String) {
  run(key: $run) {
    layers(first: 8, after: $after) {
      edges { node {
        layer baseNorm finetunedNorm
        diffVectors(first: 50) {
          edges { node { position norm relativeNorm splitHalfCosine standardErrorNorm aboveNoise } }
        }
      } }
      pageInfo { hasNextPage endCursor }
    }
  }
}`;

export const run = `query run($run: String!) {
  run(key: $run) {
    key samples uniquePrefixes engineVersion computeDtype digest
    corpus { name }
    certificate { warnings }
  }
}`;

export const place = `query place($key: String!) {
  diffVector(key: $key) {
    key position samples norm relativeNorm baseMeanNorm finetunedMeanNorm standardErrorNorm splitHalfCosine
    cosineBaseFinetuned swapNormMean swapNormDeviation aboveNoise noiseRule
    diff { url npyUrl }
    causalEffects(control: NONE, first: 50) {
      edges { node { direction subset corpusName increase relativeIncrease increaseOverControl mode } }
    }
    steeringExperiments(first: 10) {
      edges { node { key judge strength klFromUnsteered } }
    }
  }
}`;

export const readings = `query readings($key: String!, $variant: ProjectionVariant, $sign: ProjectionSign) {
  diffVector(key: $key) {
    projections(first: 50, chosen: true, variant: $variant, sign: $sign) {
      edges { node {
        key method scale mode
        tokens(first: 20) { edges { node { tokenId text probability } } }
        grades(last: 3) { edges { node { scale value tokenLabels grader { name version } } } }
      } }
    }
  }
}`;

export const neighbours = `query neighbours($key: String!) {
  diffVector(key: $key) {
    neighbours(first: 8) {
      cosine
      diffVector { key position layer { layer run { key organism { name } } } }
    }
  }
}`;

export const samples = `query samples($key: String!) {
  steeringExperiment(key: $key) {
    samples(first: 40) {
      edges { node { promptIndex sampleIndex steered prompt text coherent } }
    }
  }
}`;

export const agentRuns = `query agentRuns($name: String!, $after: String) {
  organism(name: $name) {
    agentRuns(first: 20, after: $after) {
      edges { node {
        key kind pair model version state conclusive calls promptTokens replyTokens interactions seconds
        error { code message }
        answer {
          text confidence reason
          grades(last: 5) { edges { node { scale value grader { name version model } } } }
        }
      } }
      pageInfo { hasNextPage endCursor }
    }
  }
}`;

export const hypotheses = `query hypotheses($key: String!) {
  agentRun(key: $key) {
    hypotheses(first: 100) { edges { node { number text confidence status reason } } }
  }
}`;

export const messages = `query messages($key: String!, $after: String) {
  agentRun(key: $key) {
    messages(first: 20, after: $after) {
      edges { node { number role content tool calls { name arguments } } }
      pageInfo { hasNextPage endCursor }
    }
  }
}`;
