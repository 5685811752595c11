//! Client connections: requests in, replies out.

use std::ops::ControlFlow;
use std::rc::Rc;

use slotquake_core::Input;
use slotquake_core::ids::ClientId;
use slotquake_core::output::{LogLevel, Protocol as Resp};
use slotquake_core::resp::request::RequestParser;

use crate::connection::{Connection, Protocol};
use crate::shell::Shell;

/// What a client connection carries.
pub struct ClientProtocol {
    client: ClientId,
    connection: Rc<Connection>,
    parser: RequestParser,
    is_behind: bool,
}

impl ClientProtocol {
    /// Of a client that just connected.
    pub fn new(client: ClientId, connection: Rc<Connection>) -> ClientProtocol {
        ClientProtocol {
            client,
            connection,
            parser: RequestParser::default(),
            is_behind: false,
        }
    }
}

impl Protocol for ClientProtocol {
    fn received(&mut self, bytes: &[u8], shell: &mut Shell) -> ControlFlow<()> {
        self.parser.feed(bytes);
        self.resume(shell)?;
        if self.parser.pending_len() as u64 > shell.query_buffer_limit() {
            let text = "Closing client that reached max query buffer length";
            shell.log(LogLevel::Warning, text);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn is_behind(&self) -> bool {
        self.is_behind
    }

    fn resume(&mut self, shell: &mut Shell) -> ControlFlow<()> {
        self.is_behind = false;
        while self.connection.is_open() {
            if self.connection.is_congested() {
                self.is_behind = true;
                break;
            }
            self.parser.set_trust(shell.trust(self.client));
            self.parser.set_bulk_len_max(shell.bulk_len_max());
            match self.parser.next_command() {
                Ok(Some(args)) => {
                    shell.take_in(Input::ClientCommand {
                        client: self.client,
                        args,
                    });
                }
                Ok(None) => break,
                Err(error) => {
                    shell.reply(self.client, &error.reply(), Resp::Resp2);
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn lost(&mut self, shell: &mut Shell) {
        shell.client_lost(self.client);
    }
}
