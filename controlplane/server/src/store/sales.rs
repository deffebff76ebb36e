//! The sales table and its audit log: reads are consistent, writes are conditional.

use super::StoreError;
use super::audit::{self, AuditEntry};
use super::item::{Item, number, text};
use super::record::{SaleRecord, attribute};
use super::tables::{self, Key};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Delete, Put, ScalarAttributeType, TransactWriteItem};
use urr_core::sale::SaleId;
use urr_core::time::Millis;
use urr_kit::Dynamo;

/// Sales one control plane lists; far above the 500 of the design, so a bug cannot grow the list
/// without bound.
const SALES_MAX: usize = 10_000;

/// Why a record changes: the audit entry without what the store adds (sequence and time).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAudit {
    /// Who.
    pub actor: String,
    /// What, as one word.
    pub action: &'static str,
    /// Why.
    pub reason: String,
    /// What held before.
    pub old: String,
    /// What holds now.
    pub new: String,
}

/// The store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SalesStore {
    client: Client,
    sales: String,
    audit: String,
}

impl SalesStore {
    /// A store on `dynamo`'s tables; [`Self::ensure_tables`] creates them.
    #[must_use]
    pub fn new(dynamo: &Dynamo) -> Self {
        Self {
            client: dynamo.client.clone(),
            sales: dynamo.table("sales"),
            audit: dynamo.table("control-audit"),
        }
    }

    /// Creates the tables that are missing and waits until they can be used.
    ///
    /// # Errors
    /// [`StoreError::Engine`].
    pub async fn ensure_tables(&self) -> Result<(), StoreError> {
        let sale_id = || Key {
            name: attribute::SALE_ID,
            kind: ScalarAttributeType::S,
        };
        let seq = Key {
            name: audit::SEQ,
            kind: ScalarAttributeType::N,
        };
        tables::ensure(&self.client, &self.sales, sale_id(), None).await?;
        tables::ensure(&self.client, &self.audit, sale_id(), Some(seq)).await
    }

    /// The sale's record, as of now.
    ///
    /// # Errors
    /// [`StoreError::Engine`], [`StoreError::Corrupt`].
    pub async fn get(&self, sale: SaleId) -> Result<Option<SaleRecord>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.sales)
            .key(attribute::SALE_ID, text(sale.to_string()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| StoreError::engine("read the sale", error.into_service_error()))?;
        answer.item().map(SaleRecord::from_item).transpose()
    }

    /// All records, in no particular order. One that cannot be read is logged and left out: a
    /// malformed sale must not stop the others.
    ///
    /// # Errors
    /// [`StoreError::Engine`].
    pub async fn list(&self) -> Result<Vec<SaleRecord>, StoreError> {
        let mut records = Vec::new();
        let mut from: Option<Item> = None;
        loop {
            let page = self
                .client
                .scan()
                .table_name(&self.sales)
                .consistent_read(true)
                .set_exclusive_start_key(from)
                .send()
                .await
                .map_err(|error| StoreError::engine("list the sales", error.into_service_error()))?;
            for item in page.items() {
                match SaleRecord::from_item(item) {
                    Ok(record) => records.push(record),
                    Err(error) => tracing::error!(
                        sale = ?item.get(attribute::SALE_ID),
                        error = urr_kit::error::chain(&error),
                        "skipping a sale whose record cannot be read"
                    ),
                }
            }
            from = page.last_evaluated_key().cloned();
            if from.is_none() || records.len() >= SALES_MAX {
                return Ok(records);
            }
        }
    }

    /// Writes `record` as the successor of the revision it was read at, together with the audit
    /// entry if there is one, and returns it with its new revision.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the record is not at `record.revision` any more (or, for
    /// revision 0, when there is a record already). [`StoreError::Engine`].
    pub async fn write(
        &self,
        record: &SaleRecord,
        audit: Option<NewAudit>,
        now: Millis,
    ) -> Result<SaleRecord, StoreError> {
        let before = if record.revision == 0 {
            // A sale that was deleted and comes back continues its audit log.
            self.audit(record.sale.id, 1)
                .await?
                .last()
                .map_or(0, |newest| newest.seq)
        } else {
            record.revision
        };
        let next = SaleRecord {
            revision: before + 1,
            updated_at: now,
            ..record.clone()
        };
        let put = Put::builder()
            .table_name(&self.sales)
            .set_item(Some(next.to_item()?));
        let put = if record.revision == 0 {
            put.condition_expression("attribute_not_exists(#id)")
                .expression_attribute_names("#id", attribute::SALE_ID)
        } else {
            put.condition_expression("#revision = :seen")
                .expression_attribute_names("#revision", attribute::REVISION)
                .expression_attribute_values(":seen", number(&record.revision))
        };
        let put = put
            .build()
            .map_err(|error| StoreError::engine("describe the write", error))?;
        let put = TransactWriteItem::builder().put(put).build();
        self.transact(put, record.sale.id, next.revision, audit, now)
            .await?;
        Ok(next)
    }

    /// Forgets the sale if it is still at `record.revision`. Its audit log stays.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Engine`].
    pub async fn forget(&self, record: &SaleRecord, audit: NewAudit, now: Millis) -> Result<(), StoreError> {
        let delete = Delete::builder()
            .table_name(&self.sales)
            .key(attribute::SALE_ID, text(record.sale.id.to_string()))
            .condition_expression("#revision = :seen")
            .expression_attribute_names("#revision", attribute::REVISION)
            .expression_attribute_values(":seen", number(&record.revision))
            .build()
            .map_err(|error| StoreError::engine("describe the delete", error))?;
        let delete = TransactWriteItem::builder().delete(delete).build();
        self.transact(delete, record.sale.id, record.revision + 1, Some(audit), now)
            .await
    }

    async fn transact(
        &self,
        change: TransactWriteItem,
        sale: SaleId,
        seq: u64,
        audit: Option<NewAudit>,
        now: Millis,
    ) -> Result<(), StoreError> {
        let mut transaction = self.client.transact_write_items().transact_items(change);
        if let Some(NewAudit {
            actor,
            action,
            reason,
            old,
            new,
        }) = audit
        {
            let entry = AuditEntry {
                seq,
                at: now,
                actor,
                action: action.to_owned(),
                reason,
                old,
                new,
            };
            let put = Put::builder()
                .table_name(&self.audit)
                .set_item(Some(entry.to_item(sale)))
                .condition_expression("attribute_not_exists(#seq)")
                .expression_attribute_names("#seq", audit::SEQ)
                .build()
                .map_err(|error| StoreError::engine("describe the audit entry", error))?;
            transaction = transaction.transact_items(TransactWriteItem::builder().put(put).build());
        }
        match transaction.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(refusal(error.into_service_error())),
        }
    }

    /// The newest `limit` entries of the sale's audit log, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Engine`], [`StoreError::Corrupt`].
    pub async fn audit(&self, sale: SaleId, limit: u16) -> Result<Vec<AuditEntry>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.audit)
            .consistent_read(true)
            .key_condition_expression("#id = :id")
            .expression_attribute_names("#id", audit::SALE_ID)
            .expression_attribute_values(":id", text(sale.to_string()))
            .scan_index_forward(false)
            .limit(i32::from(limit))
            .send()
            .await
            .map_err(|error| StoreError::engine("read the audit log", error.into_service_error()))?;
        let mut entries = answer
            .items()
            .iter()
            .map(AuditEntry::from_item)
            .collect::<Result<Vec<_>, _>>()?;
        entries.reverse();
        Ok(entries)
    }
}

/// A transaction that lost its condition, or met another on the same item, lost a race: fenced.
fn refusal(error: TransactWriteItemsError) -> StoreError {
    let lost_race = match &error {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            cancelled.cancellation_reasons().iter().any(|reason| {
                matches!(
                    reason.code(),
                    Some("ConditionalCheckFailed" | "TransactionConflict")
                )
            })
        }
        _ => false,
    };
    if lost_race {
        StoreError::Fenced
    } else {
        StoreError::engine("write the sale", error)
    }
}
