import type { GraphiQLOptions } from 'graphql-yoga';

const intro = `# Welcome. Paste the key that the server printed into the Headers pane
# below (each tab has its own), then run the tabs from left to right.
# The demo answers unless a provider is configured: see "models".

query Start {
  viewer {
    kind
    scopes
    workspace {
      name
    }
  }
  models {
    id
    supportsTools
  }
  assistants(first: 5) {
    nodes {
      id
      name
      model
    }
  }
}
`;

const createAssistant = `mutation CreateAssistant {
  createAssistant(input: { name: "Guide", instructions: "Be brief." }) {
    __typename
    ... on CreateAssistantPayload {
      assistant {
        id
        name
        model
      }
    }
    ... on Error {
      code
      message
    }
  }
}
`;

const createRun = `# Starts a new thread with a message and runs it. Take the run's id to the
# next tab: it streams the answer, from the first word, however late.
mutation Run {
  createRun(input: { thread: { title: "First steps", messages: [{ text: "Hello! What can you do?" }] } }) {
    __typename
    ... on CreateRunPayload {
      run {
        id
        status
        model
      }
      thread {
        id
      }
    }
    ... on Error {
      code
      message
    }
  }
}
`;

const follow = `# Paste the run's id into the Variables pane: { "runId": "run_…" }
subscription Follow($runId: ID!, $after: String) {
  runEvents(runId: $runId, after: $after) {
    __typename
    ... on Event {
      cursor
    }
    ... on RunStatusChanged {
      status
      run {
        messages {
          nodes {
            text
          }
        }
      }
    }
    ... on ReasoningDelta {
      thinking: text
    }
    ... on StepDelta {
      toolCall {
        kind
        arguments
        output
      }
    }
    ... on MessageDelta {
      text
    }
  }
}
`;

const python = `# A run with a tool. The demo runs the program that it is given; a model writes its own.
# It waits for the end: open the file's url, it is good for a while.
mutation Python {
  createRun(
    input: {
      tools: [{ codeInterpreter: {} }]
      thread: { title: "Primes", messages: [{ text: "Please use Python to find some primes" }] }
    }
  ) {
    __typename
    ... on CreateRunPayload {
      run {
        id
      }
    }
    ... on Error {
      code
      message
    }
  }
}

# Paste the run's id into the Variables pane: { "runId": "run_…" }
query Result($runId: ID!) {
  waitForRun(id: $runId) {
    ... on Run {
      status
      steps {
        nodes {
          toolCalls {
            ... on CodeInterpreterToolCall {
              code
              logs
              files {
                name
                url
              }
            }
          }
        }
      }
      messages {
        nodes {
          text
        }
      }
    }
  }
}
`;

const browse = `# Everything is one graph.
query Browse {
  threads(first: 5) {
    totalCount
    nodes {
      id
      title
      lastMessage {
        role
        text
      }
      runs(first: 3) {
        nodes {
          id
          status
          usage {
            totalTokens
          }
          cost
          steps {
            nodes {
              type
              status
              durationMs
            }
          }
        }
      }
    }
  }
}
`;

const headers = JSON.stringify({ authorization: 'Bearer <paste the key here>' }, null, 2);

/** What GraphiQL shows when it is opened for the first time. */
export const graphiql: GraphiQLOptions = {
  title: 'assistant-graph',
  // For new tabs. The options `headers` and `defaultQuery` would open one more tab at every visit.
  defaultHeaders: headers,
  defaultEditorToolsVisibility: 'headers',
  shouldPersistHeaders: true,
  subscriptionsProtocol: 'WS',
  defaultTabs: [intro, createAssistant, createRun, follow, python, browse].map((query) => ({
    query,
    headers,
    ...(query === follow || query === python ? { variables: JSON.stringify({ runId: '' }, null, 2) } : {}),
  })),
} as GraphiQLOptions;
