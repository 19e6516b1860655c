/** What GraphiQL shows first: from the organisms down to the tokens of the first positions, and back to the ground truth. */
export const exampleQuery = `# Top tokens that each finetune promotes, and what it was trained on.
{
  organisms(first: 5) {
    totalCount
    edges {
      node {
        name
        latestRun {
          key
          samples
          layers(first: 1) {
            edges {
              node {
                layer
                diffVectors(first: 3) {
                  edges {
                    node {
                      position
                      norm
                      splitHalfCosine
                      aboveNoise
                      diff {
                        npyUrl
                      }
                      projections(variant: DIFF, sign: PROMOTED, chosen: true, first: 4) {
                        edges {
                          node {
                            method
                            scale
                            tokens(first: 10) {
                              edges {
                                node {
                                  rank
                                  text
                                  probability
                                  projection {
                                    diffVector {
                                      layer {
                                        run {
                                          organism {
                                            groundTruth
                                            baseModel {
                                              name
                                            }
                                          }
                                        }
                                      }
                                    }
                                  }
                                }
                              }
                            }
                          }
                        }
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}
`;
