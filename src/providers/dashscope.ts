/** The address of DashScope's own interface, where the settings name the one that speaks like OpenAI's. */
export const dashscopeApi = (baseURL: string) => baseURL.replace(/\/compatible-mode\/v1$/, '/api/v1');
